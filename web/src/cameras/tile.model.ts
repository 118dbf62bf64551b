import type { Camera, ViewItem } from '../hub/cameraTypes'
import type { CameraState } from '../hub/types'

/** What a tile of the wall shows. */
export type TileState = 'empty' | 'loading' | 'live' | 'frozen' | 'failed' | 'offline' | 'locked'

/** ms without a frame until a tile says so. */
export const frozenAfter = 5000

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
  if (known.missing) return 'locked'
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
