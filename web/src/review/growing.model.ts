/**
 * A recording that still runs is asked for what is new only. The hub's answer to `since_ms` has everything that was not
 * over by then: of that it is the whole truth, of what was over before it says nothing.
 */

import type { RecordedTrack, RecordingDetail, Segment } from '../hub/types'
import { isOpen, keyOf } from './tracks.model'

/** ms; what is told late, or put right a moment later, is still asked for. */
const margin = 30_000
const often = 1500
const seldom = 6000

/** As the hub measures whether a segment was over. */
const reached = (segment: Segment) => segment.start_ms + segment.duration_ms

/** How far its media have come. */
function mediaEnd(recording: RecordingDetail): number {
  return recording.tracks.reduce((most, track) => track.segments.reduce((m, s) => Math.max(m, reached(s)), most), 0)
}

/** From when on to ask for what is new: before it nothing of what is known can have changed. */
export function sinceOf(known: RecordingDetail): number {
  const open = known.tracks.flatMap(track => track.segments.filter(isOpen).map(reached))
  return Math.max(0, Math.floor(Math.min(mediaEnd(known), ...open)) - margin)
}

/** What is known after the answer to `since`. Parts that are as they were are the same objects. */
export function grown(known: RecordingDetail, answer: RecordingDetail, since: number): RecordingDetail {
  if (since <= 0) return keep(known, answer)
  const tracks = new Map(known.tracks.map(track => [track.id, track]))
  const speakers = new Map(known.speakers.map(speaker => [speaker.identity, speaker]))
  const fresh = new Set(answer.gaps.map(gapKey))
  return keep(known, {
    ...answer,
    tracks: answer.tracks.map(track => withSegments(tracks.get(track.id), track, since)),
    speakers: answer.speakers.map(speaker => ({
      ...speaker,
      spans: withSpans(speakers.get(speaker.identity)?.spans ?? [], speaker.spans, since),
    })),
    events: [...known.events.filter(event => event.at_ms < since), ...answer.events],
    gaps: [...known.gaps.filter(gap => gap.end_ms < since && !fresh.has(gapKey(gap))), ...answer.gaps],
  })
}

function gapKey(gap: RecordingDetail['gaps'][number]): string {
  return `${gap.track} ${gap.start_ms}`
}

function withSegments(known: RecordedTrack | undefined, track: RecordedTrack, since: number): RecordedTrack {
  const fresh = new Set(track.segments.map(keyOf))
  const before = known?.segments.filter(segment => reached(segment) < since && !fresh.has(keyOf(segment))) ?? []
  return { ...track, segments: [...before, ...track.segments].sort((a, b) => a.start_ms - b.start_ms) }
}

function withSpans(known: [number, number][], more: [number, number][], since: number): [number, number][] {
  // One that was over may have become the beginning of a longer one.
  const first = more[0]?.[0] ?? Number.POSITIVE_INFINITY
  return [...known.filter(([start, end]) => end < since && start < first), ...more]
}

/** `next`, made of the objects of `known` wherever they say the same: what is drawn from them need not be drawn anew. */
function keep(known: RecordingDetail, next: RecordingDetail): RecordingDetail {
  const { watermark } = next
  const same = watermark && known.watermark && sameButTime(known.watermark, watermark)
  return {
    ...next,
    tracks: keepAll(known.tracks, next.tracks, track => track.id),
    speakers: keepAll(known.speakers, next.speakers, speaker => speaker.identity),
    gaps: keepAll(known.gaps, next.gaps, gapKey),
    events: equal(known.events, next.events) ? known.events : next.events,
    ...(same && { watermark: known.watermark }),
  }
}

function sameButTime(a: object, b: object): boolean {
  return equal({ ...a, at: '' }, { ...b, at: '' })
}

function keepAll<T>(known: T[], next: T[], key: (one: T) => string): T[] {
  const before = new Map(known.map(one => [key(one), one]))
  const kept = next.map(one => {
    const old = before.get(key(one))
    return old !== undefined && equal(old, one) ? old : one
  })
  return kept.length === known.length && kept.every((one, i) => one === known[i]) ? known : kept
}

function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every(name => name in b && equal(a[name as keyof typeof a], b[name as keyof typeof b]))
  )
}

/** Whether media were added, or anything else than the time went on. */
export function wentOn(before: RecordingDetail, after: RecordingDetail): boolean {
  if (before.state !== after.state || mediaEnd(after) > mediaEnd(before)) return true
  const count = (one: RecordingDetail) => [one.gaps.length, ...one.tracks.map(track => track.segments.length)].join()
  return count(before) !== count(after)
}

/** ms until it is asked again: `wait` was the last pause. While nothing happens less and less often. */
export function nextPause(wait: number, went: boolean): number {
  return went ? often : Math.min(seldom, wait * 2)
}

export const firstPause = often
