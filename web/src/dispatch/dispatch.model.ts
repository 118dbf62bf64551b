/** Forced verbs as pages see them. No DOM, no clock. */

export const verbs = ['monitor', 'whisper', 'barge', 'release', 'takeover', 'preempt'] as const
export type ForcedVerb = (typeof verbs)[number]
export const grounds = ['security', 'complaint', 'drill'] as const
export type Grounds = (typeof grounds)[number]

/** The permission of each; what may be done to whom the hub says. */
export const permissions: Record<ForcedVerb, string> = {
  monitor: 'call.monitor',
  whisper: 'call.whisper',
  barge: 'call.barge',
  release: 'call.release',
  takeover: 'call.takeover',
  preempt: 'call.preempt',
}

export interface Person {
  id: string
  name: string
  org_name: string
}

export type LineKind = 'call' | 'consultation' | 'group'

export interface Line {
  kind: LineKind
  id: string
  title: string
  people: Person[]
  priority: number
  emergency: boolean
}

export interface Allowed {
  line: Line | null
  verbs: {
    verb: ForcedVerb
    allowed: boolean
    code: string
    text: string | null
    told: Person[]
    silent: boolean
    emergency: boolean
  }[]
}

/** Something that was or is done to a line. */
export interface Act {
  id: string
  verb: ForcedVerb
  line: { kind: LineKind; id: string; title: string }
  actor: Person
  target: Person
  reason: string
  silent: boolean
  told: Person[]
  began_at: string
  ended_at: string | null
  end: string | null
}

export interface Joining {
  url: string
  token: string
  room: string
  identity: string
}

export interface Done {
  act: Act
  joining: Joining | null
  call: unknown
}

export interface Order {
  person: string
  call?: string
  consultation?: string
  group?: string
  reason: string
  /** Of the call of a group: the person alone leaves it. */
  only?: boolean
  silent?: boolean
  grounds?: Grounds
  priority?: number
  emergency?: boolean
}

export interface Acts {
  /** What this person does now, and hears. */
  mine: Act[]
  /** What is done to lines this person is on, and goes on. */
  running: Act[]
  /** What was done to this person's line, until it is put away. */
  notices: Act[]
}

export const nothing: Acts = { mine: [], running: [], notices: [] }

const runs = (act: Act) => act.verb === 'monitor' || act.verb === 'whisper'
const without = (acts: Act[], id: string) => acts.filter(act => act.id !== id)

/** What a word of the hub makes of it, for the person `me`. */
export function withAct(acts: Acts, act: Act, me: string): Acts {
  const mine = without(acts.mine, act.id)
  const running = without(acts.running, act.id)
  if (act.actor.id === me) return { ...acts, mine: runs(act) && !act.ended_at ? [...mine, act] : mine }
  if (!act.told.some(person => person.id === me)) return acts
  if (!runs(act)) return { ...acts, notices: [...without(acts.notices, act.id), act].slice(-3) }
  return { ...acts, running: act.ended_at ? running : [...running, act] }
}

/** All that goes on, as the hub says it; what was put up stays. */
export function withRunning(acts: Acts, items: Act[], me: string): Acts {
  return items.reduce((now, act) => withAct(now, act, me), { ...nothing, notices: acts.notices })
}

export function putAway(acts: Acts, id: string): Acts {
  return { ...acts, notices: without(acts.notices, id) }
}

export function readAct(value: unknown): Act | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const act = value as Partial<Act>
  return typeof act.id === 'string' && typeof act.verb === 'string' && Array.isArray(act.told)
    ? (act as Act)
    : undefined
}

/** What it is called in a sentence: of a group, and of the one who alone is put out of it, it is said differently. */
export function said(verb: ForcedVerb, kind: LineKind | undefined, only = false): Said {
  if (kind !== 'group' || (verb !== 'monitor' && verb !== 'barge' && verb !== 'release')) return verb
  return verb === 'release' && only ? 'putOut' : `${verb}Group`
}
export type Said = ForcedVerb | 'monitorGroup' | 'bargeGroup' | 'releaseGroup' | 'putOut'

/** What whoever it is about is told in words of their own; what is done to a whole group all are told alike. */
export function toldOf(how: Said): ForcedVerb | 'putOut' | undefined {
  return how === 'monitorGroup' || how === 'bargeGroup' || how === 'releaseGroup' ? undefined : how
}

/** Many names are the first ones and how many there are. */
export function named(people: readonly Person[], most = 8): { names: string; count: number; more: boolean } {
  const names = people.slice(0, most).map(person => person.name)
  return { names: names.join('、'), count: people.length, more: people.length > most }
}

/** The priority a call needs to end that line: ties never do. Undefined: only an emergency. */
export function above(line: Line | null): number | undefined {
  if (!line || line.emergency || line.priority >= 9) return undefined
  return line.priority + 1
}
