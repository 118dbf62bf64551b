/** The lanes under the player: who spoke when, and what happened. */

import type { RecordedEvent, RecordingDetail } from '../hub/types'

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

export type LaneKind = 'chat' | 'camera' | 'people' | 'recording' | 'other'

/**
 * The type without where it came from. A camera joins and leaves the room like a person; to people it is brought in
 * and taken out.
 */
export function plainType(event: RecordedEvent): string {
  const type = event.type.replace(/^consultation\./, '')
  const camera = (event.data as { kind?: unknown } | null)?.kind === 'camera' || event.identity?.endsWith(':bridge')
  if (camera && type === 'joined') return 'camera_added'
  return camera && type === 'left' ? 'camera_removed' : type
}

export function laneOf(event: RecordedEvent): LaneKind {
  const type = plainType(event)
  if (type === 'chat') return 'chat'
  if (type.startsWith('camera')) return 'camera'
  if (type === 'joined' || type === 'left') return 'people'
  if (type.startsWith('recording') || type === 'continued' || type === 'recovered') return 'recording'
  return 'other'
}

export interface EventLane {
  kind: LaneKind
  events: RecordedEvent[]
}

const laneOrder: LaneKind[] = ['chat', 'camera', 'people', 'recording', 'other']

/** Only lanes in which something happened, in a fixed order. */
export function eventLanes(events: readonly RecordedEvent[]): EventLane[] {
  return laneOrder.flatMap(kind => {
    const own = events.filter(event => laneOf(event) === kind)
    return own.length ? [{ kind, events: own }] : []
  })
}

const tickSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200].map(s => s * 1000)

/** Marks on the time axis, ms from the start: round times of day, at most `most` of them. */
export function ticks(startedAt: number, length: number, most = 10): number[] {
  const step = tickSteps.find(s => length / s <= most) ?? 14_400_000
  const marks: number[] = []
  for (let at = Math.ceil(startedAt / step) * step; at <= startedAt + length; at += step) marks.push(at - startedAt)
  return marks
}

/** The event before or after a moment; a second's grace, so that "previous" leaves the one we stand on. */
export function jumpEvent(events: readonly RecordedEvent[], at: number, step: -1 | 1): RecordedEvent | undefined {
  return step > 0 ? events.find(event => event.at_ms > at + 50) : events.findLast(event => event.at_ms < at - 1000)
}

/** Of events in order: the last that has happened. -1 before the first. */
export function currentEvent(events: readonly RecordedEvent[], at: number): number {
  return events.findLastIndex(event => event.at_ms <= at)
}

/** Indexes of events whose words or name contain `q`. */
export function searchEvents(texts: readonly string[], q: string): number[] {
  const wanted = q.trim().toLowerCase()
  return wanted ? texts.flatMap((text, i) => (text.toLowerCase().includes(wanted) ? [i] : [])) : []
}
