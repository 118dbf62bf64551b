/** Which part of which track belongs to a moment of the recording. */

import type { RecordedTrack, RecordingDetail, Segment } from '../hub/types'

export type Gap = RecordingDetail['gaps'][number]

/** ms; the next part is loaded this long before it is needed. */
export const loadAhead = 8000
const linger = 600

export interface Part {
  /** Unique in the recording. */
  key: string
  track: RecordedTrack
  segment: Segment
}

/** It is being written: it has no end yet. */
export function isOpen(segment: Segment): boolean {
  return segment.url.endsWith('.part')
}

/** Its length on the session's clock, as far as it is known. */
function spanOf(segment: Segment): number {
  return Math.max(0, (segment.end_ms ?? segment.start_ms + segment.duration_ms) - segment.start_ms)
}

/** Where it ends on the session's clock; one that is being written goes on. */
export function endOf(segment: Segment): number {
  return isOpen(segment) ? Number.POSITIVE_INFINITY : segment.start_ms + spanOf(segment)
}

/**
 * ms of the file per ms of the session: a sender's clock that ran fast or slow. More than a tenth is no clock, but a
 * file of a moment whose place is not sure yet.
 */
function skew(segment: Segment): number {
  const span = spanOf(segment)
  const found = span > 2000 ? segment.duration_ms / span : 1
  return found > 0.9 && found < 1.1 ? found : 1
}

/** ms of the segment's own time at a moment of the session, in proportion. */
export function ownTime(segment: Segment, at: number): number {
  return (at - segment.start_ms) * skew(segment)
}

/** And back. */
export function sessionTime(segment: Segment, own: number): number {
  return segment.start_ms + own / skew(segment)
}

/** What is known of the length; one that still runs, or was cut short, is longer than its record says. */
export function lengthOf(recording: RecordingDetail): number {
  const parts = recording.tracks.flatMap(track => track.segments.map(s => s.start_ms + spanOf(s)))
  return Math.max(recording.duration_ms ?? 0, ...parts)
}

/** In order, and without those that add nothing to one that is longer. */
export function playable(track: RecordedTrack): RecordedTrack {
  const inOrder = track.segments.toSorted((a, b) => a.start_ms - b.start_ms || endOf(b) - endOf(a))
  let reached = Number.NEGATIVE_INFINITY
  const segments = inOrder.filter(segment => {
    const adds = endOf(segment) > reached
    reached = Math.max(reached, endOf(segment))
    return adds
  })
  return { ...track, segments }
}

/** The segment of `track` at a moment; where two touch, the later one. */
export function segmentAt(track: RecordedTrack, at: number): Segment | undefined {
  return track.segments.findLast(segment => segment.start_ms <= at && at < endOf(segment))
}

/**
 * Parts whose elements have to exist, in order: those on air, those that come within `loadAhead`, and what was followed a
 * moment ago: its last picture stands until the next one is there.
 */
export function neededParts(tracks: readonly RecordedTrack[], at: number, rate = 1): Part[] {
  const until = at + loadAhead * Math.max(1, rate)
  return tracks.flatMap(track => {
    const on = segmentAt(track, at)
    const next = track.segments.find(segment => segment.start_ms > at && segment.start_ms <= until)
    const before = on && track.segments.findLast(segment => endOf(segment) <= at && at - endOf(segment) < linger * rate)
    return [before, on, next].flatMap(segment => (segment ? [{ key: keyOf(segment), track, segment }] : []))
  })
}

/** A file has one key while it is written and afterwards. */
export function keyOf(segment: Segment): string {
  return segment.url.replace(/\.part$/, '')
}

export function gapAt(gaps: readonly Gap[], track: string, at: number): Gap | undefined {
  return gaps.find(gap => gap.track === track && gap.start_ms <= at && at < gap.end_ms)
}

export interface PlayerTile {
  /** Track of the picture, or of the sound when there is no picture. */
  track: RecordedTrack
  identity: string
  name: string
  org: string
  kind: 'person' | 'camera' | 'screen'
}

/** One tile per recorded picture, and one for everybody who was only heard. */
export function playerTiles(tracks: readonly RecordedTrack[]): PlayerTile[] {
  const pictures = tracks.filter(track => track.kind === 'video')
  const seen = new Set(pictures.filter(t => t.source !== 'screen_share').map(t => t.identity))
  const heard = tracks.filter(track => track.kind === 'audio' && track.source !== 'screen_share_audio')
  const onlyHeard = heard.filter(
    (t, i) => !seen.has(t.identity) && heard.findIndex(o => o.identity === t.identity) === i,
  )
  return [...pictures, ...onlyHeard].map(track => ({
    track,
    identity: track.identity,
    name: track.name,
    org: track.org_name,
    kind: kindOf(track),
  }))
}

function kindOf(track: RecordedTrack): PlayerTile['kind'] {
  if (track.source === 'screen_share') return 'screen'
  return track.source === 'camera_feed' || track.identity.endsWith(':bridge') ? 'camera' : 'person'
}

/** The large picture when nobody chose one: a shared screen, else a camera, else the first person. */
export function defaultMain(tiles: readonly PlayerTile[]): PlayerTile | undefined {
  const of = (kind: PlayerTile['kind']) => tiles.find(tile => tile.kind === kind)
  return of('screen') ?? of('camera') ?? tiles.find(tile => tile.track.kind === 'video') ?? tiles[0]
}
