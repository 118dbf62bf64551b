/** Calls as this terminal sees them. No DOM, no clock. */

export type LegState = 'inviting' | 'ringing' | 'answered' | 'held' | 'ended'

export interface CallPerson {
  id: string
  name: string
  org_name: string
}

export interface Leg {
  id: string
  party: number
  person: CallPerson
  terminal: string
  state: LegState
  end: string | null
  ended_by: string | null
  waiting: boolean
  silent: boolean
  answered_at: string | null
}

export interface Call {
  id: string
  kind: 'point' | 'conference'
  state: 'ringing' | 'active' | 'ended'
  end: string | null
  priority: number
  emergency: boolean
  video: boolean
  created_by: CallPerson
  created_at: string
  answered_at: string | null
  ended_at: string | null
  rev: number
  parties: { kind: 'caller' | 'person' | 'seat' | 'org'; id: string; name: string }[]
  legs: Leg[]
}

export interface CallTicket {
  url: string
  token: string
  room: string
  identity: string
}

export type Calls = Record<string, Call>

/** An older `rev` changes nothing. One that is over stays for its last words, until `forgotten`. */
export function withCall(all: Calls, news: Call): Calls {
  const old = all[news.id]
  if (old && old.rev > news.rev) return all
  if (!old && news.state === 'ended') return all
  return { ...all, [news.id]: news }
}

/** What there is now, all of it: those that are not named are over, and nobody saw how. */
export function withLive(all: Calls, live: Call[]): Calls {
  const ended = Object.values(all).filter(call => call.state === 'ended')
  return live.reduce(withCall, Object.fromEntries(ended.map(call => [call.id, call])))
}

export function forgotten(all: Calls, id: string): Calls {
  const { [id]: _, ...rest } = all
  return rest
}

/** The last leg at this terminal. */
export function legAt(call: Call, terminal: string): Leg | undefined {
  return call.legs.findLast(leg => leg.terminal === terminal)
}

const active = (leg: Leg | undefined) => leg?.state === 'answered' || leg?.state === 'held'
const pending = (leg: Leg) => leg.state === 'inviting' || leg.state === 'ringing'

/** Those that ring here, the oldest first; emergencies before all others. */
export function ringingAt(all: Calls, terminal: string): Call[] {
  return Object.values(all)
    .filter(call => {
      const leg = legAt(call, terminal)
      return call.state !== 'ended' && leg !== undefined && pending(leg)
    })
    .sort((a, b) => Number(b.emergency) - Number(a.emergency) || a.created_at.localeCompare(b.created_at))
}

/** Those this terminal is in: the one that is talked in first, then those on hold. */
export function activeAt(all: Calls, terminal: string): Call[] {
  const held = (call: Call) => legAt(call, terminal)?.state === 'held'
  return Object.values(all)
    .filter(call => call.state !== 'ended' && active(legAt(call, terminal)))
    .sort((a, b) => Number(held(a)) - Number(held(b)) || a.created_at.localeCompare(b.created_at))
}

export interface Other {
  name: string
  org: string
  state: LegState
  silent: boolean
}

/** The others in it, one for each person, or for a party nobody of which has answered yet. */
export function othersIn(call: Call, terminal: string): Other[] {
  const mine = legAt(call, terminal)
  const legs = call.legs.filter(leg => leg.person.id !== mine?.person.id && leg.state !== 'ended')
  const seen = new Set<string>()
  return legs.flatMap(leg => {
    const party = call.parties[leg.party]
    const group = pending(leg) && party && party.kind !== 'person' && party.kind !== 'caller'
    const key = group ? `party ${leg.party}` : leg.person.id
    if (seen.has(key)) return []
    seen.add(key)
    const silent = legs.filter(one => one.party === leg.party).every(one => one.silent)
    return [
      { name: group ? party.name : leg.person.name, org: group ? '' : leg.person.org_name, state: leg.state, silent },
    ]
  })
}

export type Situation = 'calling' | 'silent' | 'held' | 'held_by_other' | 'talking'

/** What the bar says of it. */
export function situation(call: Call, terminal: string): Situation {
  if (legAt(call, terminal)?.state === 'held') return 'held'
  const others = othersIn(call, terminal)
  if (others.some(other => other.state === 'answered')) return 'talking'
  if (others.some(other => other.state === 'held')) return 'held_by_other'
  return others.length > 0 && others.every(other => other.silent) ? 'silent' : 'calling'
}

/** Exactly two talk, nobody is being called. */
export function transferable(call: Call): boolean {
  const live = call.legs.filter(leg => leg.state !== 'ended')
  return live.length === 2 && live.every(active)
}

/** Seconds since somebody answered; undefined before. */
export function talked(call: Call, now: number): number | undefined {
  return call.answered_at ? Math.max(0, Math.floor((now - Date.parse(call.answered_at)) / 1000)) : undefined
}

/** Why it ended here, if that is worth a word: not when this person has ended it himself. */
export function farewell(call: Call, terminal: string, me: string): string | undefined {
  const leg = legAt(call, terminal)
  if (leg?.state !== 'ended' || !leg.end) return undefined
  return leg.ended_by === me && leg.end !== 'answered_elsewhere' ? undefined : leg.end
}

export function readCall(value: unknown): Call | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const call = value as Partial<Call>
  return typeof call.id === 'string' && typeof call.rev === 'number' && Array.isArray(call.legs)
    ? (call as Call)
    : undefined
}

export interface Face<Shot> {
  key: string
  name: string
  shot: Shot | undefined
}

/** A picture of each camera in the call, and a name for who is in it without one; oneself last. */
export function faces<Shot extends { identity: string; name: string; local: boolean }>(
  call: Call,
  terminal: string,
  shots: readonly Shot[],
): Face<Shot>[] {
  const others = call.legs
    .filter(leg => active(leg) && leg.terminal !== terminal)
    .map(leg => ({ identity: leg.terminal, name: leg.person.name }))
  const named = others.flatMap(({ identity, name }): Face<Shot>[] => {
    const own = shots.filter(shot => shot.identity === identity)
    return own.length === 0
      ? [{ key: identity, name, shot: undefined }]
      : own.map((shot, i) => ({ key: `${identity} ${i}`, name, shot }))
  })
  const mine: Face<Shot>[] = shots
    .filter(shot => shot.local)
    .map((shot, i) => ({ key: `me ${i}`, name: shot.name, shot }))
  return [...named, ...mine]
}

/** So that pictures of 16:9 beside and below each other are about as wide as a page. */
export function columnsOf(count: number): number {
  return Math.max(1, Math.ceil(Math.sqrt(count)))
}

export type Direction = 'made' | 'received' | 'missed'

/** What a call that is over was to this person: missed is what nobody answered at any of his terminals. */
export function directionOf(call: Call, me: string): Direction {
  if (call.created_by.id === me) return 'made'
  return call.legs.some(leg => leg.person.id === me && leg.answered_at !== null) ? 'received' : 'missed'
}

/** With whom it was, as a name for the list. */
export function partnersOf(call: Call, me: string): { id: string; name: string; org: string }[] {
  if (call.created_by.id !== me && call.kind === 'point')
    return [{ id: call.created_by.id, name: call.created_by.name, org: call.created_by.org_name }]
  const asked = call.parties.filter(party => party.kind !== 'caller' && party.id !== me)
  const from = call.created_by.id === me ? [] : [{ ...call.created_by, org: call.created_by.org_name }]
  return [...from, ...asked.map(party => ({ id: party.id, name: party.name, org: orgOf(call, party.id) }))]
}

function orgOf(call: Call, person: string): string {
  return call.legs.find(leg => leg.person.id === person)?.person.org_name ?? ''
}

/** Milliseconds somebody talked in it; undefined when nobody answered. */
export function lasted(call: Call): number | undefined {
  if (!call.answered_at || !call.ended_at) return undefined
  return Math.max(0, Date.parse(call.ended_at) - Date.parse(call.answered_at))
}

/** Why nobody talked in it, as whoever reads the list would say it; undefined when that says nothing. */
export function whyNot(call: Call, me: string): string | undefined {
  if (call.answered_at !== null || !call.end || call.end === 'hangup') return undefined
  const mine = call.legs.findLast(leg => leg.person.id === me)
  if (call.end === 'cancelled' && call.created_by.id === me) return 'self_cancelled'
  if (call.end === 'declined' && mine?.end === 'declined' && call.created_by.id !== me) return 'self_declined'
  return call.end
}
