let sound: AudioContext | undefined

/** One may talk: two rising pips. One may not, or has to stop: one low. They are heard by this person alone. */
export function pip(what: 'go' | 'no'): void {
  try {
    sound ??= new AudioContext()
  } catch {
    return
  }
  if (sound.state === 'suspended') void sound.resume()
  if (sound.state !== 'running') return
  for (const [i, hertz] of (what === 'go' ? [880, 1175] : [330]).entries()) {
    const oscillator = sound.createOscillator()
    const volume = sound.createGain()
    const at = sound.currentTime + i * 0.07
    oscillator.frequency.value = hertz
    volume.gain.setValueAtTime(0.12, at)
    volume.gain.exponentialRampToValueAtTime(0.001, at + (what === 'go' ? 0.06 : 0.25))
    oscillator.connect(volume).connect(sound.destination)
    oscillator.start(at)
    oscillator.stop(at + 0.3)
  }
}
