import type { Camera, ViewItem } from '../hub/cameraTypes'
import type { CameraState } from '../hub/types'

/** What a tile of the wall shows. */
export type TileState = 'empty' | 'loading' | 'live' | 'frozen' | 'failed' | 'offline' | 'locked'

/** ms without a frame until a tile says so. */
export const frozenAfter = 5000

/** Why the hub left a camera out of the wall. */
const closed = new Set(['forbidden', 'not_found'])

export interface Known {
  camera: Camera | undefined
  /** The hub said that there is none, or none for this person. */
  missing: boolean
  item: ViewItem | undefined
  /** The newest word about it, from an event. */
  news: CameraState | undefined
  /** A track is here and has drawn a frame. */
  drawn: boolean
  /** Since when no frame has come (ms), when that is long ago. */
  frozenSince: number | undefined
}

export function tileState(known: Known): TileState {
  const { camera, item } = known
  if (known.missing || closed.has(item?.reason?.code ?? '')) return 'locked'
  if (camera && !camera.may.includes('open')) return 'locked'
  // A picture is the best witness of whether there is one.
  if (known.drawn && known.frozenSince === undefined) return 'live'
  const state = known.news ?? item?.state
  if (state === 'failed') return camera && !camera.online ? 'offline' : 'failed'
  if (known.drawn) return 'frozen'
  return 'loading'
}

/** Seconds that something has been opening, as it is written: `0.6`, `12`. */
export function openingSeconds(ms: number): string {
  const seconds = Math.max(0, ms) / 1000
  return seconds < 10 ? seconds.toFixed(1) : String(Math.floor(seconds))
}

/** `18.4 Mbit/s`, `640 kbit/s`. */
export function bitrate(bits: number): string {
  if (bits >= 999_500) return `${(bits / 1_000_000).toFixed(1)} Mbit/s`
  return `${Math.round(bits / 1000)} kbit/s`
}

export function thousands(count: number): string {
  return String(Math.floor(count)).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** px under every picture for its name: nothing lies over a camera's picture. */
export const strip = 28

/** The largest tile, picture 16:9 and its strip, of which `side` × `side` fit. */
export function spotSize(width: number, height: number, side: number, gap = 8): { width: number; height: number } {
  const byWidth = (width - gap * (side - 1)) / side
  const byHeight = ((height - gap * (side - 1)) / side - strip) * (16 / 9)
  const best = Math.floor(Math.max(0, Math.min(byWidth, byHeight)))
  return { width: best, height: Math.floor((best * 9) / 16) + (best ? strip : 0) }
}
