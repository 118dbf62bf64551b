/** Roll calls as the hub tells them, and what the sheet shows of one. */

export type RollState =
  | 'waiting'
  | 'called'
  | 'speaks'
  | 'done'
  | 'silent'
  | 'skipped'
  | 'absent'
  | 'asked'
  | 'reached'
  | 'present'
  | 'late'
  | 'unreachable'
export type RollAct = 'call' | 'next' | 'skip' | 'repeat' | 'back' | 'release' | 'end'

export interface RollEntry {
  position: number
  person_id: string | null
  seat_id: string | null
  org_id: string
  org_name: string
  name: string
  post: string
  state: RollState
  called_at: string | null
  answered_at: string | null
  closed_at: string | null
  times: number
}

export interface RollHead {
  id: string
  kind: 'speak' | 'sequence' | 'post'
  state: 'live' | 'closed' | 'ended'
  title: string
  consultation_id: string | null
  led_by: { id: string; name: string; org_name: string }
  created_at: string
  phase: 'idle' | 'called' | 'speaks' | 'over'
  at: number
  until: string | null
  answer_seconds: number
  limit_seconds: number
  rev: number
  counts: Record<string, number>
  may: RollAct[]
}

export interface RollCall extends RollHead {
  entries: RollEntry[]
}

export interface RollQuestion {
  id: string
  title: string
  by: { id: string; name: string; org_name: string }
  until: string
  state: RollState
}

/**
 * Takes in an event: the head, and the rows that changed. An older `rev` changes nothing; of one that misses a
 * revision in between the rows are not known: undefined, load it. Events are the same for everybody: what this person
 * may do stays as long as they lead at all.
 */
export function withRollEvent(known: RollCall, data: unknown): RollCall | undefined {
  const news = readRoll(data)
  if (!news || news.head.id !== known.id || news.head.rev <= known.rev) return known
  if (news.head.rev !== known.rev + 1) return undefined
  const entries = [...known.entries]
  for (const entry of news.entries) entries[entry.position] = entry
  return { ...news.head, may: known.may.length ? news.head.may : [], entries }
}

export function readRoll(data: unknown): { head: RollHead; entries: RollEntry[] } | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  const { roll_call: head, entries } = data as { roll_call?: RollHead; entries?: RollEntry[] }
  return head && typeof head.id === 'string' && Array.isArray(entries) ? { head, entries } : undefined
}

/** Whose turn it is. */
export function current(roll: RollCall): RollEntry | undefined {
  return roll.phase === 'called' || roll.phase === 'speaks' ? roll.entries[roll.at] : undefined
}

/** Who comes next, as far as it is known: somebody who is not there is passed over. */
export function following(roll: RollCall, there: ReadonlySet<string>): RollEntry | undefined {
  if (roll.kind !== 'sequence') return undefined
  return roll.entries.find(
    (one, index) => index > roll.at && one.state === 'waiting' && one.person_id !== null && there.has(one.person_id),
  )
}

/** Milliseconds that are left; undefined: no time runs. `now` is server time. */
export function left(roll: { until: string | null }, now: number): number | undefined {
  return roll.until === null ? undefined : Math.max(0, Date.parse(roll.until) - now)
}

/** How many had their turn. */
export function taken(roll: RollCall): number {
  return roll.entries.filter(one => one.state !== 'waiting').length
}

export interface OrgResult {
  org_id: string
  org_name: string
  entries: RollEntry[]
  well: number
}

/** Posts by organisation, those with trouble first. */
export function byOrganisation(entries: readonly RollEntry[]): OrgResult[] {
  const found = new Map<string, OrgResult>()
  for (const entry of entries) {
    const org = found.get(entry.org_id) ?? { org_id: entry.org_id, org_name: entry.org_name, entries: [], well: 0 }
    org.entries.push(entry)
    if (entry.state === 'present') org.well += 1
    found.set(entry.org_id, org)
  }
  const trouble = (org: OrgResult) => (org.well === org.entries.length ? 1 : 0)
  return [...found.values()].sort((a, b) => trouble(a) - trouble(b))
}

/** Seconds between being asked and the answer. */
export function answeredAfter(entry: RollEntry): number | undefined {
  if (!entry.answered_at || !entry.called_at) return undefined
  return Math.max(0, (Date.parse(entry.answered_at) - Date.parse(entry.called_at)) / 1000)
}
