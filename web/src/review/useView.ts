import { useCallback, useSyncExternalStore } from 'react'
import type { PlayerEngine, PlayerView } from './engine'

/** One thing of the player's view; drawn again only when it changes. `select` gives a word, a number or what it was. */
export function useView<T>(engine: PlayerEngine, select: (view: PlayerView) => T): T {
  const look = useCallback(() => select(engine.snapshot()), [engine, select])
  return useSyncExternalStore(engine.subscribe, look)
}

export const partsOf = (view: PlayerView) => view.parts
export const onAirOf = (view: PlayerView) => view.onAir
export const failedOf = (view: PlayerView) => view.failed
export const attemptOf = (view: PlayerView) => view.attempt
export const playingOf = (view: PlayerView) => view.playing
export const bufferingOf = (view: PlayerView) => view.buffering
export const settledOf = (view: PlayerView) => view.settled
export const rateOf = (view: PlayerView) => view.rate
export const followingOf = (view: PlayerView) => view.following
/** In tenths of a second: what people read needs no more. */
export const tenthOf = (view: PlayerView) => Math.floor(view.position / 100) * 100
export const secondOf = (view: PlayerView) => Math.floor(view.position / 1000) * 1000
export const durationOf = (view: PlayerView) => Math.ceil(view.duration / 1000) * 1000
