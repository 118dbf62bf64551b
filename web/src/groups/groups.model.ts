/** Groups as pages see them, and what the floor means for this one. No DOM, no clock. */

export const kinds = ['fixed', 'temporary', 'dynamic', 'patched', 'broadcast'] as const
export type Kind = (typeof kinds)[number]

export interface Speaker {
  id: string
  name: string
  org_name: string
  level: number
  emergency: boolean
}

export type FloorState = 'idle' | 'taken' | 'pending_revoke' | 'over'
export type You = 'idle' | 'queued' | 'granted' | 'pending_revoke' | 'revoked' | 'refused'

export interface Floor {
  state: FloorState
  holder: Speaker | null
  queue: Speaker[]
  until: string | null
}

/** What the hub says of the floor to one terminal. */
export interface FloorWord extends Floor {
  group: string
  you: You
  place: number
  reason: string
  by: Speaker | null
}

export interface Emergency {
  id: string
  kind: 'call' | 'alarm'
  group_id: string
  group_name: string
  person: Speaker
  reason: string
  at: string
  step: number
  acknowledged_by: string | null
  acknowledged_at: string | null
  cancelled_at: string | null
}

export type Reach = '' | 'called' | 'acknowledged' | 'joined' | 'silent' | 'refused' | 'offline' | 'busy' | 'put_out'

export interface Member {
  id: string
  name: string
  post: string
  level: number
  org: { id: string; name: string; short: string }
  talks: boolean
  affiliated: boolean
  present: boolean
  reach: Reach
}

export interface Group {
  id: string
  kind: Kind
  name: string
  org: { id: string; name: string }
  priority: number
  live: boolean
  live_since: string | null
  affiliated: boolean
  selected: boolean
  talks: boolean
  floor: Floor
  emergency: Emergency | null
  patches: string[]
  members: Member[]
  groups: { id: string; name: string }[]
  rev: number
}

export type LineState = 'joining' | 'in' | 'lost'

/** What this page knows of a group's call that it is in. */
export interface Heard {
  line: LineState
  floor: FloorWord | undefined
}

export const quiet: Floor = { state: 'idle', holder: null, queue: [], until: null }

const rank = (kind: Kind) => kinds.indexOf(kind)

/** By kind, and within one by name; those that are called first. */
export function ordered(groups: readonly Group[]): Group[] {
  return [...groups].sort(
    (a, b) => rank(a.kind) - rank(b.kind) || a.name.localeCompare(b.name, 'zh') || (a.id < b.id ? -1 : 1),
  )
}

/** Those one listens to, in the order of their keys: the first nine have 1 to 9. */
export function quick(groups: readonly Group[]): Group[] {
  return ordered(groups)
    .filter(group => group.affiliated)
    .slice(0, 9)
}

/** The one the talk key means: what was chosen here, else what the hub says, else the only one. */
export function selectedOf(groups: readonly Group[], chosen: string | undefined): Group | undefined {
  const mine = groups.filter(group => group.affiliated)
  return (
    mine.find(one => one.id === chosen) ?? mine.find(one => one.selected) ?? (mine.length === 1 ? mine[0] : undefined)
  )
}

/** What the talk button shows. */
export type Talk =
  | { at: 'none' }
  | { at: 'listener' }
  | { at: 'idle' }
  | { at: 'asking' }
  | { at: 'mine'; until: number | undefined; ending: boolean }
  | { at: 'other'; holder: Speaker; until: number | undefined }
  | { at: 'queued'; place: number; holder: Speaker | null }
  | { at: 'refused'; reason: string }

/** `pressed`: the key is down; `refused`: what the last word about it was, until the key is let go. */
export function talkOf(group: Group | undefined, heard: Heard | undefined, pressed: boolean): Talk {
  if (!group) return { at: 'none' }
  if (!group.talks) return { at: 'listener' }
  const floor = heard?.floor
  const until = floor?.until ? Date.parse(floor.until) : undefined
  if (floor?.you === 'granted' || floor?.you === 'pending_revoke')
    return { at: 'mine', until, ending: floor.you === 'pending_revoke' }
  if (floor?.you === 'queued') return { at: 'queued', place: floor.place, holder: floor.holder }
  if (pressed && (floor?.you === 'refused' || floor?.you === 'revoked')) return { at: 'refused', reason: floor.reason }
  if (pressed) return { at: 'asking' }
  if (floor?.holder) return { at: 'other', holder: floor.holder, until }
  return { at: 'idle' }
}

/** May the microphone be open: only with the floor, and only while the key is down. */
export function speaks(heard: Heard | undefined, pressed: boolean): boolean {
  return pressed && heard?.line === 'in' && (heard.floor?.you === 'granted' || heard.floor?.you === 'pending_revoke')
}

/** What letting go of the key says to the hub, if anything. */
export function letGo(heard: Heard | undefined): 'release' | 'queue_leave' | undefined {
  const you = heard?.floor?.you
  if (you === 'granted' || you === 'pending_revoke') return 'release'
  return you === 'queued' ? 'queue_leave' : undefined
}

/** What can be taken from whoever talks: override from a lower level, revoke with the right; equals never. */
export function forced(
  floor: Floor | undefined,
  me: { id: string; level: number },
  talks: boolean,
  mayRevoke: boolean,
): { override: boolean; revoke: boolean } {
  const holder = floor?.holder
  const lower =
    holder !== null && holder !== undefined && holder.id !== me.id && !holder.emergency && me.level < holder.level
  return { override: lower && talks, revoke: lower && mayRevoke }
}

/** Whom what is done to the whole call is about: who talks, else who stands highest of those who are there. */
export function spokesman(members: readonly Member[], floor: Floor | undefined, me: string): Member | undefined {
  const there = members.filter(one => one.present && one.id !== me)
  return there.find(one => one.id === floor?.holder?.id) ?? [...there].sort((a, b) => a.level - b.level)[0]
}

/** −15 dB for what is not selected: one still hears that something is said there. */
export const beside = 10 ** (-15 / 20)

export interface Volume {
  /** 0 … 1 */
  level: number
  muted: boolean
}

export const full: Volume = { level: 1, muted: false }

export function loudness(volume: Volume | undefined, selected: boolean): number {
  const { level, muted } = volume ?? full
  return muted ? 0 : Math.min(1, Math.max(0, level)) * (selected ? 1 : beside)
}

/** A newer picture in place of the older; the members of the one that was loaded whole stay. */
export function withGroup(all: readonly Group[], news: Group): Group[] {
  const at = all.findIndex(one => one.id === news.id)
  if (at < 0) return [...all, news]
  const old = all[at]
  if (!old || old.rev > news.rev) return [...all]
  const merged = news.members.length === 0 && old.members.length > 0 ? { ...news, members: old.members } : news
  return all.map((one, i) => (i === at ? merged : one))
}

export function readFloor(word: Record<string, unknown>): FloorWord | undefined {
  if (word.type !== 'floor' || typeof word.group !== 'string' || typeof word.you !== 'string') return undefined
  const { state, holder, queue, until, place, reason, by } = word
  return {
    group: word.group,
    // A refusal of a word that could not be understood says nothing of the floor.
    state: (typeof state === 'string' ? state : 'idle') as FloorState,
    holder: (holder ?? null) as Speaker | null,
    queue: (Array.isArray(queue) ? queue : []) as Speaker[],
    until: typeof until === 'string' ? until : null,
    you: word.you as You,
    place: typeof place === 'number' ? place : 0,
    reason: typeof reason === 'string' ? reason : '',
    by: (by ?? null) as Speaker | null,
  }
}

/** A refusal without the state of the floor keeps what was known of it. */
export function afterWord(before: FloorWord | undefined, word: FloorWord, whole: boolean): FloorWord {
  return whole || !before ? word : { ...before, you: word.you, reason: word.reason }
}

/** Members in the order one looks for them: who is there, then who listens, then the rest; the highest level first. */
export function membersShown(members: readonly Member[]): Member[] {
  const state = (one: Member) => (one.present ? 0 : one.affiliated ? 1 : 2)
  return [...members].sort((a, b) => state(a) - state(b) || a.level - b.level || a.name.localeCompare(b.name, 'zh'))
}

/** Those that nobody has cancelled, the unanswered first, then the newest. */
export function emergenciesShown(all: readonly Emergency[]): Emergency[] {
  return all
    .filter(one => one.cancelled_at === null)
    .sort((a, b) => Number(a.acknowledged_at !== null) - Number(b.acknowledged_at !== null) || b.at.localeCompare(a.at))
}

/** The floor of a group one is not in the call of, as its events tell it: who talks and who waits, not for how long. */
export function afterEvent(group: Group, type: string, data: Record<string, unknown>): Group {
  const { person, name, level, emergency } = data
  if (typeof person !== 'string' || typeof name !== 'string') return group
  const who: Speaker = { id: person, name, org_name: '', level: Number(level) || 9, emergency: emergency === true }
  const { floor } = group
  const queue = floor.queue.filter(one => one.id !== person)
  if (type === 'floor.granted')
    return { ...group, live: true, floor: { state: 'taken', holder: who, queue, until: null } }
  if (type === 'floor.queued') return { ...group, floor: { ...floor, queue: [...queue, who] } }
  // Whoever has the floor by now may be somebody else already.
  if (floor.holder?.id !== person) return { ...group, floor: { ...floor, queue } }
  return { ...group, floor: { ...floor, state: 'idle', holder: null, queue, until: null } }
}
