import { ringTone, type Tone } from '../calls/tones'

let context: AudioContext | undefined

/** The page's one sound device; none where the browser has none. */
function device(): AudioContext | undefined {
  try {
    context ??= new AudioContext()
  } catch {
    return undefined
  }
  return context
}

/** Each ring as hertz and seconds after its beginning; all are told apart from alarms, which fall. */
const rings: Record<Tone | 'emergency', readonly (readonly [number, number])[]> = {
  soft: [
    [784, 0],
    [988, 0.28],
  ],
  bright: [
    [1047, 0],
    [1319, 0.16],
    [1568, 0.32],
  ],
  low: [
    [392, 0],
    [523, 0.35],
  ],
  old: [
    [440, 0],
    [480, 0],
    [440, 0.4],
    [480, 0.4],
  ],
  emergency: [
    [1175, 0],
    [1175, 0.18],
    [1175, 0.36],
    [1568, 0.54],
  ],
}

/** A ring every 2.4 s, made here: no file to load. The result stops it. `knock`: one tone every 5 s, for who is talking. */
export function startRinging(knock = false, which: Tone | 'emergency' = ringTone()): () => void {
  const sound = device()
  if (!sound) return () => undefined
  const strike = () => {
    // Before the first press on the page the browser keeps it silent; the card shows all the same.
    if (sound.state === 'suspended') void sound.resume()
    if (sound.state !== 'running') return
    for (const [hertz, after] of knock ? rings[which].slice(0, 1) : rings[which])
      tone(sound, hertz, sound.currentTime + after)
  }
  strike()
  const timer = setInterval(strike, knock ? 5000 : 2400)
  return () => clearInterval(timer)
}

/** Short falling tones, as many as the alarm is grave: four for the gravest. */
export function alarmTone(level: number): void {
  const sound = device()
  if (!sound) return
  if (sound.state === 'suspended') void sound.resume()
  if (sound.state !== 'running') return
  for (let i = 0; i <= 4 - level; i += 1) tone(sound, i % 2 ? 622 : 831, sound.currentTime + i * 0.22)
}

function tone(sound: AudioContext, hertz: number, at: number): void {
  const oscillator = sound.createOscillator()
  const volume = sound.createGain()
  oscillator.type = 'sine'
  oscillator.frequency.value = hertz
  volume.gain.setValueAtTime(0, at)
  volume.gain.linearRampToValueAtTime(0.25, at + 0.02)
  volume.gain.exponentialRampToValueAtTime(0.001, at + 0.7)
  oscillator.connect(volume).connect(sound.destination)
  oscillator.start(at)
  oscillator.stop(at + 0.75)
}
