/** How the media connection comes back. */

const early = [0, 200, 500, 1000, 1500, 2000]
const patience = 60_000

/**
 * How long to wait before attempt `count` (from 0), when the connection has been gone for `elapsed` ms: short at
 * first, since a media process is restarted within a second or two; later with a `chance` (0 to 1) in it, so that not
 * everybody comes in the same instant. Null after a minute: then it is better to join anew.
 */
export function retryDelay(count: number, elapsed: number, chance: number): number | null {
  if (elapsed > patience) return null
  return early[count] ?? Math.min(4000, 2000 + 500 * (count - early.length + 1)) + chance * 1000
}
