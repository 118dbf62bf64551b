/** The lanes under the player: who spoke when, and what happened. */

import type { RecordingDetail } from '../hub/types'
import type { Lane, LaneItem, Mark } from './shapes.model'

export interface Span {
  start: number
  end: number
}

export interface SpeakerLane {
  identity: string
  name: string
  org: string
  spans: Span[]
}

/** Spans nearer than this share of the length are drawn as one: they could not be told apart. */
const joinBelow = 0.002

export function speakerLanes(speakers: RecordingDetail['speakers'], length: number): SpeakerLane[] {
  return speakers.map(speaker => ({
    identity: speaker.identity,
    name: speaker.name,
    org: speaker.org_name,
    spans: joinSpans(speaker.spans, length * joinBelow, length),
  }))
}

export function joinSpans(spans: readonly [number, number][], nearer: number, length: number): Span[] {
  const inOrder = spans
    .map(([start, end]) => ({ start: Math.max(0, start), end: Math.min(length, end) }))
    .filter(span => span.end > span.start)
    .sort((a, b) => a.start - b.start)
  const joined: Span[] = []
  for (const span of inOrder) {
    const last = joined.at(-1)
    if (last && span.start - last.end <= nearer) last.end = Math.max(last.end, span.end)
    else joined.push({ ...span })
  }
  return joined
}

export interface EventLane extends Lane {
  items: LaneItem[]
}

/** Only lanes in which something happened, in the hub's order; one it did not announce comes last. */
export function eventLanes(lanes: readonly Lane[], items: readonly LaneItem[]): EventLane[] {
  const known = new Set(lanes.map(lane => lane.id))
  const strange = [...new Set(items.map(item => item.lane))].filter(id => !known.has(id))
  return [...lanes, ...strange.map(id => ({ id, title: id, icon: '' }))].flatMap(lane => {
    const own = items.filter(item => item.lane === lane.id)
    return own.length ? [{ ...lane, items: own }] : []
  })
}

/** Marks and comments among what happened. */
export function markItem(mark: Mark): LaneItem {
  return {
    id: mark.id,
    at_ms: mark.at_ms,
    until_ms: mark.until_ms,
    type: mark.kind,
    lane: 'mark',
    title: mark.title || mark.text,
    icon: mark.kind === 'mark' ? 'bookmark' : 'message',
    identity: null,
    who: mark.by_name,
    text: mark.title ? mark.text : null,
    detail: null,
  }
}

/** An item in one line: what was said, or what happened to whom. */
export function itemText(item: LaneItem): string {
  if (item.type === 'chat') return item.text ?? ''
  if (item.lane === 'mark') return [item.title, item.text].filter(Boolean).join('：')
  return [item.title, item.who, item.text].filter((word, i, all) => word && all.indexOf(word) === i).join(' ')
}

/**
 * Which marks of a lane have room for words: those whose next one is at least `least` px away. The result has the room
 * in px, 0 for a dot.
 */
export function rooms(places: readonly number[], width: number, least = 56): number[] {
  return places.map((place, i) => {
    const room = (places[i + 1] ?? width) - place - 6
    return room >= least ? Math.min(room, 160) : 0
  })
}

/** The part of the time axis that is shown, ms. */
export interface Window {
  from: number
  until: number
}

/** `zoom` times enlarged around `at`, inside the recording. */
export function windowAround(at: number, zoom: number, length: number): Window {
  const size = Math.max(1, length) / Math.max(1, zoom)
  const from = Math.min(Math.max(0, at - size / 2), Math.max(0, length - size))
  return { from, until: from + size }
}

/** The same part while `at` is in it; a page further when it runs out. */
export function windowFor(now: Window, at: number, zoom: number, length: number): Window {
  const size = Math.max(1, length) / Math.max(1, zoom)
  if (zoom <= 1) return { from: 0, until: Math.max(1, length) }
  const same = Math.abs(now.until - now.from - size) < 1
  if (same && at >= now.from && at < now.until) return now
  if (same && at >= now.until && at < now.until + size) return windowAround(at + size * 0.45, zoom, length)
  return windowAround(at, zoom, length)
}

const tickSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200].map(s => s * 1000)

/** Marks on the time axis, ms from the start: round times of day, at most `most` of them. */
export function ticks(startedAt: number, { from, until }: Window, most = 10): number[] {
  const step = tickSteps.find(s => (until - from) / s <= most) ?? 14_400_000
  const marks: number[] = []
  for (let at = Math.ceil((startedAt + from) / step) * step; at <= startedAt + until; at += step)
    marks.push(at - startedAt)
  return marks
}

/** The event before or after a moment; a second's grace, so that "previous" leaves the one we stand on. */
export function jumpEvent(events: readonly LaneItem[], at: number, step: -1 | 1): LaneItem | undefined {
  return step > 0 ? events.find(event => event.at_ms > at + 50) : events.findLast(event => event.at_ms < at - 1000)
}

/** Of events in order: the last that has happened. -1 before the first. */
export function currentEvent(events: readonly { at_ms: number }[], at: number): number {
  return events.findLastIndex(event => event.at_ms <= at)
}

/** ms that words stay over the picture; longer ones a little longer. */
const readable = 5000
const perLetter = 80

/** Index of the words that stand over the picture at `at`: the last ones, while they can be read. -1: none. */
export function wordsAt(said: readonly LaneItem[], at: number): number {
  const last = currentEvent(said, at)
  const item = said[last]
  return item && at < item.at_ms + readable + perLetter * (item.text ?? '').length ? last : -1
}

/** Indexes of events whose words or name contain `q`. */
export function searchEvents(texts: readonly string[], q: string): number[] {
  const wanted = q.trim().toLowerCase()
  return wanted ? texts.flatMap((text, i) => (text.toLowerCase().includes(wanted) ? [i] : [])) : []
}
