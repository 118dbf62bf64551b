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

/** Who was to come, in the order that was planned. */
export interface Plan {
  organisations: { name: string; short?: string }[]
  people: { id: string; name: string; org_name: string }[]
}

export interface Candidate {
  id: string
  name: string
  org: string
  there: boolean
}

/** Who can be called: of each planned organisation who is there, whom the plan names, and whoever else is there; not `me`. */
export function candidates(
  here: readonly { identity: string; name: string; org: string }[],
  plan: Plan,
  me: string | undefined,
): Candidate[] {
  const there = new Map(
    here.map(one => {
      const id = one.identity.split(':')[0] ?? ''
      return [id, { id, name: one.name, org: one.org, there: true }]
    }),
  )
  const planned = plan.people.map(one => there.get(one.id) ?? { ...one, org: one.org_name, there: false })
  const all = [...planned, ...there.values()]
  const inOrder = [...plan.organisations.flatMap(org => all.filter(one => of(org, one))), ...all]
  return [...new Map(inOrder.map(one => [one.id, one])).values()].filter(one => one.id !== me)
}

/** Planned organisations of which nobody can be called. */
export function unrepresented(found: readonly Candidate[], plan: Plan): string[] {
  return plan.organisations.filter(org => !found.some(one => of(org, one))).map(org => org.short || org.name)
}

/** In the order somebody gave them by hand; who came since is at the end. */
export function arranged(found: readonly Candidate[], order: readonly string[]): Candidate[] {
  const by = order.flatMap(id => found.find(one => one.id === id) ?? [])
  return [...by, ...found.filter(one => !order.includes(one.id))]
}

const of = (org: Plan['organisations'][number], one: Candidate) => one.org === org.name || one.org === org.short

/** Seconds between being asked and the answer. */
export function answeredAfter(entry: RollEntry): number | undefined {
  if (!entry.answered_at || !entry.called_at) return undefined
  return Math.max(0, (Date.parse(entry.answered_at) - Date.parse(entry.called_at)) / 1000)
}
