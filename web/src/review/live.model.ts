/**
 * Where a session that still runs has come to, by its newest media and no clock of ours: a wrong clock of the viewer's
 * machine shifts nothing. Positions are ms from the session's start, `now` a steady clock in ms.
 */

/** ms behind the newest media that can be read: pieces are half a second, and asked for about every second. */
const lag = 2200
/** Further behind than this is no delay but another place. */
const jumpAbove = 2500
const remembered = 12_000

export class LiveEdge {
  private readonly seen: { at: number; ahead: number }[] = []
  /** The last that was there, for while nobody sends anything. */
  private last: number | undefined

  /** The newest media at `now`. */
  saw(now: number, position: number): void {
    const ahead = position - now
    while ((this.seen[0]?.at ?? now) < now - remembered) this.seen.shift()
    this.seen.push({ at: now, ahead })
    this.last = Math.max(...this.seen.map(one => one.ahead))
  }

  /** Undefined while nothing is known. */
  position(now: number): number | undefined {
    return this.last === undefined ? undefined : now + this.last
  }
}

/** Where who follows a running session should be. */
export function followAt(edge: number): number {
  return Math.max(0, edge - lag)
}

export type Pace = { do: 'jump'; to: number } | { do: 'rate'; rate: number }

/** How to come to `followAt` from `position`: slightly faster or slower, so that nobody hears it, or at once. */
export function pace(position: number, edge: number, rate: number): Pace {
  const behind = followAt(edge) - position
  if (Math.abs(behind) > jumpAbove) return { do: 'jump', to: followAt(edge) }
  if (behind > 400) return { do: 'rate', rate: 1.1 }
  if (behind < -400) return { do: 'rate', rate: 0.9 }
  const settled = rate > 1 ? behind < 50 : rate < 1 ? behind > -50 : true
  return { do: 'rate', rate: settled ? 1 : rate }
}
