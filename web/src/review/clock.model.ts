/**
 * The one clock of the player. Positions are milliseconds from the start of the recording; `now` is any steady clock
 * in milliseconds. Every picture and sound follows this clock; none leads it.
 */
export class MasterClock {
  private base = 0
  private at = 0
  private going = false
  private held = false
  private speed = 1

  constructor(private length: number) {}

  get duration(): number {
    return this.length
  }

  /** Of a session that still runs. */
  grow(duration: number): void {
    this.length = Math.max(this.length, duration)
  }

  get playing(): boolean {
    return this.going
  }

  get waiting(): boolean {
    return this.going && this.held
  }

  get rate(): number {
    return this.speed
  }

  position(now: number): number {
    const run = this.going && !this.held ? (now - this.at) * this.speed : 0
    return Math.min(this.length, Math.max(0, this.base + run))
  }

  play(now: number): void {
    if (this.position(now) >= this.duration) this.base = 0
    this.mark(now)
    this.going = true
  }

  pause(now: number): void {
    this.mark(now)
    this.going = false
  }

  seek(now: number, position: number): void {
    this.base = Math.min(this.length, Math.max(0, position))
    this.at = now
  }

  setRate(now: number, rate: number): void {
    this.mark(now)
    this.speed = rate
  }

  /** Stands still while something that is needed has not loaded. */
  hold(now: number, held: boolean): void {
    if (held === this.held) return
    this.mark(now)
    this.held = held
  }

  private mark(now: number): void {
    this.base = this.position(now)
    this.at = now
  }
}

export const rates = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 4, 8] as const

/** The next slower (-1) or faster (+1) speed. */
export function nextRate(rate: number, step: -1 | 1): number {
  const faster = rates.filter(r => r > rate)
  const slower = rates.filter(r => r < rate)
  return (step > 0 ? faster[0] : slower.at(-1)) ?? rate
}

export type Correction = { do: 'nothing' } | { do: 'rate'; rate: number } | { do: 'seek' }

/** Milliseconds of the medium at speed 1. Below the first nothing is done, above the second it jumps. */
export const tolerated = 80
export const jumpAbove = 1200
/** A correction under way goes on until it is this close. */
const settled = 25

/**
 * What to do with an element that is at `actual` and should be at `expected` (ms of its own time).
 * `rate` is the clock's, `current` the element's own at the moment.
 */
export function correct(expected: number, actual: number, rate: number, current: number): Correction {
  const ahead = actual - expected
  const off = Math.abs(ahead)
  if (off > Math.max(250, jumpAbove * rate)) return { do: 'seek' }
  const correcting = Math.abs(current - rate) > 0.001
  const limit = (correcting ? settled : tolerated) * Math.max(1, rate)
  if (off <= limit) return correcting ? { do: 'rate', rate } : { do: 'nothing' }
  // Catches up within about a second, never more than a quarter faster or slower: that stays intelligible.
  const share = Math.min(0.25, Math.max(0.04, off / 1000 / rate))
  const wanted = rate * (1 - Math.sign(ahead) * share)
  return Math.abs(wanted - current) < 0.02 * rate ? { do: 'nothing' } : { do: 'rate', rate: wanted }
}

/** While the clock stands: only a visible difference is worth a seek. */
export function correctPaused(expected: number, actual: number): Correction {
  return Math.abs(actual - expected) > 45 ? { do: 'seek' } : { do: 'nothing' }
}
