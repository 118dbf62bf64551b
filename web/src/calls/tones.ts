export const tones = ['soft', 'bright', 'low', 'old'] as const
export type Tone = (typeof tones)[number]

const stored = 'commhub.ringTone'

/** What a call sounds like in this browser. */
export function ringTone(): Tone {
  const kept = localStorage.getItem(stored)
  return tones.find(one => one === kept) ?? 'soft'
}

export function setRingTone(tone: Tone): void {
  localStorage.setItem(stored, tone)
}
