import type { ExportState, ExportView } from '../hub/exportTypes'

const pending: readonly ExportState[] = ['asked', 'waiting', 'running']

/** Something about it will still change by itself. */
export const isPending = (item: ExportView) => pending.includes(item.state)

/** `1:02:03.4`, `02:03`, `3.5` as ms; undefined for what is no time. */
export function parseClock(text: string): number | undefined {
  const found = /^(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,5}(?:\.\d{1,3})?)$/.exec(text.trim().replaceAll('：', ':'))
  if (!found) return undefined
  const [, hours = '0', minutes = '0', seconds = '0'] = found
  if (found[2] !== undefined && Number(seconds) >= 60) return undefined
  if (found[1] !== undefined && Number(minutes) >= 60) return undefined
  return Math.round((Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000)
}

/** With tenths: what was chosen is seen to be what was chosen. */
export function clockText(ms: number): string {
  const tenths = Math.round(ms / 100)
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0')
  return `${two(tenths / 36_000)}:${two((tenths / 600) % 60)}:${two((tenths / 10) % 60)}.${tenths % 10}`
}

export interface Span {
  from: number
  to: number
}

/** What the two fields say, ms; a word for what is wrong with them. */
export function spanOf(from: string, to: string, end: number): Span | 'from' | 'to' | 'order' {
  const begins = parseClock(from)
  const ends = parseClock(to)
  if (begins === undefined || begins >= end) return 'from'
  if (ends === undefined) return 'to'
  return ends - begins < 100 ? 'order' : { from: begins, to: Math.min(ends, end) }
}
