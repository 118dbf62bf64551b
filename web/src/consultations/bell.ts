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

/** Two soft tones every 2.4 s, made here: no file to load. The result stops them. `knock`: one every 5 s, for who is talking. */
export function startRinging(knock = false): () => void {
  const sound = device()
  if (!sound) return () => undefined
  const strike = () => {
    // Before the first press on the page the browser keeps it silent; the card shows all the same.
    if (sound.state === 'suspended') void sound.resume()
    if (sound.state !== 'running') return
    tone(sound, 784, sound.currentTime)
    if (!knock) tone(sound, 988, sound.currentTime + 0.28)
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
