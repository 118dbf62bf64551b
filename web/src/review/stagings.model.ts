/** Whom the stage shows, and who is large. */

import type { SpeakerLane } from './lanes.model'
import { endOf, type PlayerTile } from './tracks.model'

export const stagings = ['main', 'speaker', 'grid', 'cameras', 'picked'] as const
export type Staging = (typeof stagings)[number]

export const mostTiles = 25
/** With fewer tiles than this, who is not there keeps his place. */
const keepPlaces = 9
const comesSoon = 3000
const goneSince = 10_000
/** ms; a shorter word does not move the large picture. */
const shortest = 1000

export interface Wishes {
  staging: Staging
  /** Track of the picture that somebody chose to be large. */
  main: string | undefined
  /** Tracks that somebody chose; empty: all. */
  picked: ReadonlySet<string>
}

export interface Staged {
  tiles: PlayerTile[]
  /** Track of the large one; undefined: all are equal. */
  large: string | undefined
  /** More than are shown. */
  more: number
}

export function staged(tiles: readonly PlayerTile[], wishes: Wishes, at: number, speaker: string | undefined): Staged {
  const { staging, main, picked } = wishes
  const chosen = choose(tiles, staging, picked)
  const there = chosen.length > keepPlaces ? chosen.filter(tile => isThere(tile, at)) : [...chosen]
  const large = staging === 'main' ? main : staging === 'speaker' ? pictureOf(there, speaker, main) : undefined
  const first = there.filter(tile => tile.track.id === large)
  const shown = [...first, ...there.filter(tile => tile.track.id !== large)].slice(0, mostTiles)
  const kept = new Set(shown.map(tile => tile.track.id))
  return {
    // In the order they always have: the large one is large, and moves nobody.
    tiles: there.filter(tile => kept.has(tile.track.id)),
    large: first.length ? large : staging === 'main' || staging === 'speaker' ? there[0]?.track.id : undefined,
    more: there.length - shown.length,
  }
}

function choose(tiles: readonly PlayerTile[], staging: Staging, picked: ReadonlySet<string>): readonly PlayerTile[] {
  if (staging === 'picked' && picked.size > 0) return tiles.filter(tile => picked.has(tile.track.id))
  if (staging !== 'cameras') return tiles
  const cameras = tiles.filter(tile => tile.kind === 'camera')
  return cameras.length ? cameras : tiles
}

function pictureOf(tiles: readonly PlayerTile[], speaker: string | undefined, main: string | undefined) {
  const own = tiles.filter(tile => tile.identity === speaker)
  return (own.find(tile => tile.kind === 'person') ?? own[0])?.track.id ?? main
}

/** Has come, or comes in a moment, and did not leave long ago. */
export function isThere(tile: PlayerTile, at: number): boolean {
  const first = tile.track.segments[0]
  const last = tile.track.segments.at(-1)
  return first !== undefined && last !== undefined && first.start_ms - comesSoon <= at && at < endOf(last) + goneSince
}

/** Who speaks at `at`: of several who began last; in a pause who spoke last. The same wherever one comes from. */
export function speakerAt(lanes: readonly SpeakerLane[], at: number): string | undefined {
  let best: { identity: string; start: number } | undefined
  for (const { identity, spans } of lanes) {
    const span = spans.findLast(one => one.start <= at && one.end - one.start >= shortest)
    if (span && (!best || span.start > best.start)) best = { identity, start: span.start }
  }
  return best?.identity
}
