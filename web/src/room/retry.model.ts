/** How the media connection comes back. */

const early = [0, 200, 500, 1000, 1500, 2000]
const patience = 60_000

/**
 * How long to wait before attempt `count` (from 0), when the connection has been gone for `elapsed` ms: short at
 * first, since a media process is restarted within a second or two. Null after a minute: then it is better to join anew.
 */
export function retryDelay(count: number, elapsed: number): number | null {
  if (elapsed > patience) return null
  return early[count] ?? Math.min(8000, 2000 + 1000 * (count - early.length + 1))
}
