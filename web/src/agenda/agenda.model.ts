import type { Label } from '../hub/types'

/** Scheduled consultations as the hub tells them. Days and times on the page are China's (UTC+8), wherever the browser is. */
export type Reply = 'accepted' | 'declined' | 'tentative'
export type Frequency = 'once' | 'daily' | 'weekly' | 'monthly'

export interface Member {
  id: string
  name: string
  org_name: string
}

export interface Occurrence {
  item_id: string
  at: number
  title: string
  starts_at: string
  ends_at: string
  enters_at: string
  label: Label
  host: Member
  cancelled: boolean
  moved: boolean
  series: boolean
  state: 'planned' | 'started' | 'ended' | 'failed'
  consultation_id: string | null
  reply: Reply | null
}

export interface Repeats {
  frequency: Frequency
  interval: number
  days: number[]
  count: number
  until: string | null
}

export interface Material {
  id: string
  name: string
  type: string
  size: number
  added_by: Member
  added_at: string
}

export interface AgendaItem {
  id: string
  title: string
  notes: string
  label: Label
  host: Member
  starts_at: string
  minutes: number
  repeats: Repeats
  begins: 'self' | 'chair'
  early_minutes: number
  record: boolean
  cancelled: boolean
  rev: number
  organisations: { id: string; name: string; short: string }[]
  people: Member[]
  occurrences: Occurrence[]
  replies: { person: Member; reply: Reply; comment: string; at: number | null; replied_at: string }[]
  materials: Material[]
  may: ('edit' | 'start' | 'reply')[]
}

export interface Attendance {
  organisations: {
    org: { id: string; name: string }
    present: number
    people: { person: Member; how: 'entered' | 'signed' | 'absent'; at: string | null; guest: boolean }[]
  }[]
  present: number
  invited: number
}

export interface Minutes {
  rev: number
  text: string
  written_by: Member | null
  written_at: string | null
  signed_by: Member | null
  signed_at: string | null
}

const offset = 8 * 3_600_000
const two = (n: number) => String(n).padStart(2, '0')
const shifted = (iso: string | number) => new Date((typeof iso === 'number' ? iso : Date.parse(iso)) + offset)

/** As words are named, from Monday. */
export const weekdays = ['mo', 'tu', 'we', 'th', 'fr', 'sa', 'su'] as const
export type Weekday = (typeof weekdays)[number]

/** `2026-11-23`, in China. */
export function chinaDay(at: string | number): string {
  const date = shifted(at)
  return `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`
}

/** `09:30`, in China. */
export function chinaTime(at: string | number): string {
  const date = shifted(at)
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`
}

/** 0 is Monday, in China. */
export function chinaWeekday(at: string | number): number {
  return (shifted(at).getUTCDay() + 6) % 7
}

/** What a date and a time field say, with China's offset; undefined when they say nothing. */
export function chinaMoment(day: string, time: string): string | undefined {
  const text = `${day}T${time}:00+08:00`
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:00\+08:00$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : undefined
}

/** The next full half hour. */
export function nextHalfHour(now: number): string {
  return new Date(Math.ceil((now + 60_000) / 1_800_000) * 1_800_000).toISOString()
}

export interface Day {
  day: string
  weekday: Weekday
  items: Occurrence[]
}

/** By China's days, in order. */
export function byDay(items: readonly Occurrence[]): Day[] {
  const found = new Map<string, Day>()
  for (const one of [...items].sort((a, b) => (a.starts_at < b.starts_at ? -1 : 1))) {
    const day = chinaDay(one.starts_at)
    const there = found.get(day) ?? { day, weekday: weekdays[chinaWeekday(one.starts_at)] ?? 'mo', items: [] }
    there.items.push(one)
    found.set(day, there)
  }
  return [...found.values()]
}

/** May people enter now? `now` is server time. */
export function enterable(one: Occurrence, now: number): boolean {
  if (one.cancelled || one.state === 'ended') return false
  return now >= Date.parse(one.enters_at) && (now < Date.parse(one.ends_at) || one.state === 'started')
}

export type Word = 'once' | 'daily' | 'weekly' | 'monthly' | 'everyDays' | 'everyWeeks' | 'everyMonths'

/** Which words say how it repeats. */
export function repeatWord(repeats: Repeats): Word {
  if (repeats.frequency === 'once' || repeats.interval === 1) return repeats.frequency
  return ({ daily: 'everyDays', weekly: 'everyWeeks', monthly: 'everyMonths' } as const)[repeats.frequency]
}

/** How many accepted, declined, are not certain, of those who replied to the series or to this one. */
export function tally(item: AgendaItem, at: number): Record<Reply, number> {
  const last = new Map<string, Reply>()
  for (const one of item.replies) if (one.at === null) last.set(one.person.id, one.reply)
  for (const one of item.replies) if (one.at === at) last.set(one.person.id, one.reply)
  const counts = { accepted: 0, declined: 0, tentative: 0 }
  for (const reply of last.values()) counts[reply] += 1
  return counts
}
