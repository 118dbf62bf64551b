/** What the player shows, and whether that has changed. */

import type { Part } from './tracks.model'

/** Why a part cannot be played. */
export type Failure = 'codec' | 'gone' | 'forbidden' | 'network'

export interface PlayerView {
  /** ms from the start of the recording. */
  position: number
  /** ms; grows while the session runs. */
  duration: number
  playing: boolean
  buffering: boolean
  /** Every picture and sound that is on air is where the clock is. */
  settled: boolean
  rate: number
  parts: readonly Part[]
  /** Keys of parts that are on air now. */
  onAir: ReadonlySet<string>
  /** Parts that cannot be played, by key. */
  failed: ReadonlyMap<string, Failure>
  /** Grows when what failed is tried again. */
  attempt: number
  /** Keeps up with a session that still runs. */
  following: boolean
}

export function keys(parts: readonly Part[]): string {
  return parts.map(part => part.key).join()
}

export function sameKeys(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every(key => b.has(key))
}

export function same(a: PlayerView, b: PlayerView): boolean {
  return (Object.keys(b) as (keyof PlayerView)[]).every(key => a[key] === b[key])
}
