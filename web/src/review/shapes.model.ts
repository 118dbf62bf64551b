/** What review asks of the hub beside the recording itself. `…_ms` count from the recording's start. */

import type { Label, Time } from '../hub/types'

export interface Lane {
  id: string
  title: string
  /** Name of a Lucide icon, a hint. */
  icon: string
}

export interface LaneItem {
  id: string
  at_ms: number
  /** null: a moment, or not over yet. */
  until_ms: number | null
  type: string
  lane: string
  /** The type in words. */
  title: string
  icon: string
  identity: string | null
  who: string | null
  text: string | null
  detail: unknown
}

export interface Lanes {
  lanes: Lane[]
  items: LaneItem[]
  /** Items of earlier answers that are over now. */
  ended: { id: string; until_ms: number }[]
  next: number
  more: boolean
  running: boolean
  duration_ms: number
  marks_rev: number
}

export interface Mark {
  id: string
  kind: 'mark' | 'comment'
  at_ms: number
  until_ms: number | null
  title: string
  text: string
  by_name: string
  by_org: string
  made_at: Time
  rev: number
  may_change: boolean
}

export interface Marks {
  items: Mark[]
  rev: number
}

export interface Found {
  recording_id: string
  title: string
  code: string
  label: Label
  started_at: Time
  at_ms: number
  kind: 'title' | 'name' | 'chat' | 'mark' | 'event'
  type: string
  who: string
  snippet: string
  hits: [number, number][]
}

export interface FoundPage {
  items: Found[]
  next: string | null
  /** Recordings whose words are still being taken in. */
  behind: number
}

export interface Sheet {
  url: string
  start_ms: number
  until_ms: number
  every_ms: number
  count: number
  columns: number
  tile_width: number
  tile_height: number
  whole: boolean
}

export interface Thumbnails {
  track: string
  sheets: Sheet[]
  running: boolean
}

export interface Waveform {
  track: string
  start_ms: number
  step_ms: number
  /** 0 to 100. */
  peaks: number[]
  running: boolean
}

/** Where on which sheet the picture of a moment is, px. */
export interface Thumbnail {
  sheet: Sheet
  x: number
  y: number
}

/** The picture nearest before `at`; undefined where there is none. */
export function thumbnailAt(sheets: readonly Sheet[], at: number): Thumbnail | undefined {
  const sheet = sheets.findLast(one => one.start_ms <= at && at < one.until_ms + one.every_ms && one.count > 0)
  if (!sheet) return undefined
  const n = Math.min(sheet.count - 1, Math.floor((at - sheet.start_ms) / Math.max(1, sheet.every_ms)))
  const column = n % sheet.columns
  return { sheet, x: column * sheet.tile_width, y: ((n - column) / sheet.columns) * sheet.tile_height }
}

/** The loudest of each of `columns` equal parts of `from` to `until` (ms), 0 to 1. */
export function outline(wave: Waveform, from: number, until: number, columns: number): number[] {
  const step = (until - from) / Math.max(1, columns)
  return Array.from({ length: columns }, (_, i) => {
    const begin = Math.floor((from + i * step - wave.start_ms) / wave.step_ms)
    const end = Math.max(begin + 1, Math.ceil((from + (i + 1) * step - wave.start_ms) / wave.step_ms))
    let loudest = 0
    for (let n = Math.max(0, begin); n < Math.min(end, wave.peaks.length); n += 1)
      loudest = Math.max(loudest, wave.peaks[n] ?? 0)
    return loudest / 100
  })
}

/** What is known after another answer: items in order, each once. */
export function merged(known: Lanes | undefined, more: Lanes): Lanes {
  if (!known) return more
  const items = new Map(known.items.map(item => [item.id, item]))
  for (const item of more.items) items.set(item.id, item)
  for (const { id, until_ms } of more.ended) {
    const item = items.get(id)
    if (item) items.set(id, { ...item, until_ms })
  }
  const lanes = new Map(known.lanes.map(lane => [lane.id, lane]))
  // The later answer knows the order of all.
  const ordered = [...more.lanes, ...known.lanes.filter(lane => !more.lanes.some(one => one.id === lane.id))]
  return {
    ...more,
    lanes:
      more.lanes.length >= lanes.size ? ordered : [...known.lanes, ...more.lanes.filter(lane => !lanes.has(lane.id))],
    items: [...items.values()].sort((a, b) => a.at_ms - b.at_ms),
    ended: [],
  }
}
