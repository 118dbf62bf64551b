import type { DeviceRecording } from '../hub/cameraTypes'

/** Recordings of devices that become files. Times in ms since the epoch. */

export interface Download {
  id: string
  camera_id: string
  camera_name: string
  start: string
  end: string
  state: 'waiting' | 'connecting' | 'receiving' | 'done' | 'failed'
  percent: number
  seconds: number
  received: number
  size: number
  pictures: number
  lost: number
  bytes: number
  url: string | null
  sha256: string | null
  reason: { code: string; text: string } | null
  until: string | null
}

export interface Span {
  from: number
  to: number
}

const usual = 600_000
export const longest = 24 * 3_600_000

export function isOpen(download: Download): boolean {
  return download.state !== 'done' && download.state !== 'failed'
}

/** What is offered first: ten minutes from where one looks, or of the newest recording. */
export function firstSpan(recordings: readonly DeviceRecording[], at: number | undefined, now: number): Span {
  const spans = recordings.map(one => ({ from: Date.parse(one.start), to: Date.parse(one.end) }))
  const here = at === undefined ? undefined : spans.find(one => one.from <= at && at < one.to)
  if (here && at !== undefined) return whole({ from: at, to: Math.min(at + usual, here.to, now) })
  const last = spans.sort((a, b) => a.to - b.to).at(-1)
  const to = Math.min(last?.to ?? now, now)
  return whole({ from: Math.max(last?.from ?? 0, to - usual), to })
}

export type Edge = 'from' | 'to'

/** From one moment to another, whichever is first, in whole seconds; nothing behind `until`. */
export function spanned(one: number, other: number, until: number): Span {
  const { from, to } = whole({ from: Math.min(one, other, until), to: Math.min(Math.max(one, other), until) })
  return to > from ? { from, to } : { from: to - 1000, to }
}

/** An edge is put at a moment. Without another one on the right side of it the span has its usual length. */
export function turnedTo(span: Span | undefined, edge: Edge, at: number, until: number): Span {
  if (edge === 'from') return spanned(at, span && span.to > at ? span.to : at + usual, until)
  return spanned(span && span.from < at ? span.from : at - usual, at, until)
}

/** An edge goes on by so many ms, never beyond the other one. */
export function moved(span: Span, edge: Edge, by: number, until: number): Span {
  if (edge === 'from') return spanned(Math.min(span.from + by, span.to - 1000), span.to, until)
  return spanned(span.from, Math.max(span.to + by, span.from + 1000), until)
}

function whole({ from, to }: Span): Span {
  const second = (ms: number) => Math.floor(ms / 1000) * 1000
  return { from: second(from), to: second(to) }
}

/** Why a span cannot be downloaded, a key of the words; undefined when it can. */
export function problemOf(span: Span, now: number): 'order' | 'future' | 'long' | undefined {
  if (!(span.to - span.from >= 1000)) return 'order'
  if (span.to > now + 5000) return 'future'
  return span.to - span.from > longest ? 'long' : undefined
}

/** `2025-11-22T09:08:07` of the local time, as date fields have it, and back (NaN for none). */
export function fieldOf(ms: number): string {
  const date = new Date(ms)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

export function momentOf(field: string): number {
  return field ? new Date(field).getTime() : Number.NaN
}

export function sizeText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}
