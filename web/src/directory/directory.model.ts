import type { PresenceState } from '../hub/terminal'
import type { OrgKind, OrgRef, Person } from '../hub/types'

/** The address book: its tree, its lists and who is meant by an entry. No DOM, no clock. */

export const connectivities = ['none', 'phone', 'staffed', 'video', 'full'] as const
export type Connectivity = (typeof connectivities)[number]
export type OwnerKind = 'person' | 'seat' | 'place'
export type EntryKind = 'organisation' | 'person' | 'seat' | 'place' | 'endpoint'
export const endpointKinds = ['web', 'app', 'phone', 'sip', 'room', 'camera', 'im', 'radio'] as const
export type EndpointKind = (typeof endpointKinds)[number]

/** An organisation in the tree; numbers of what is right below it. */
export interface Branch {
  id: string
  name: string
  name_en: string
  short: string
  kind: OrgKind
  connectivity: Connectivity
  organisations: number
  people: number
}

export interface Sitting {
  id: string
  name: string
  post: string
  org_name: string
  since: string
}

export interface Seat {
  id: string
  org_id: string
  place_id: string | null
  serves_id: string | null
  name: string
  level: number
  sitting: Sitting | null
  rev: number
}

export interface Endpoint {
  id: string
  owner_kind: OwnerKind
  owner_id: string
  kind: EndpointKind
  label: string
  address: string
  masked: boolean
  position: number
  rev: number
}

export interface Hit {
  kind: EntryKind
  id: string
  name: string
  about: string
  org: OrgRef
  owner: { kind: OwnerKind; id: string; name: string } | null
  endpoint: EndpointKind | null
  online: boolean
}

export interface Contact extends Hit {
  speed: number | null
}

/** One line of the list, wherever it comes from. */
export interface Entry extends Hit {
  level?: number
  seat?: Seat
  speed?: number | null
}

export function ofPerson(person: Person): Entry {
  return {
    kind: 'person',
    id: person.id,
    name: person.name,
    about: person.post ?? '',
    org: person.org,
    owner: null,
    endpoint: null,
    online: person.online,
    ...(person.level !== null && { level: person.level }),
  }
}

export function ofSeat(seat: Seat, org: OrgRef): Entry {
  const about = seat.sitting ? [seat.sitting.name, seat.sitting.post].filter(Boolean).join(' · ') : ''
  return {
    kind: 'seat',
    id: seat.id,
    name: seat.name,
    about,
    org,
    owner: null,
    endpoint: null,
    online: seat.sitting !== null,
    level: seat.level,
    seat,
  }
}

export function ofBranch(branch: Branch): Entry {
  const { id, name, short } = branch
  const org = { id, name, short }
  return { kind: 'organisation', id, name, about: short, org, owner: null, endpoint: null, online: false }
}

export interface Target {
  person?: string
  seat?: string
  org?: string
}

/** Whom calling the entry means: of a number and of a terminal, whose it is; of a place nobody. */
export function targetOf(entry: Pick<Entry, 'kind' | 'id' | 'owner'>): Target | undefined {
  const kind = entry.kind === 'endpoint' ? entry.owner?.kind : entry.kind
  const id = entry.kind === 'endpoint' ? (entry.owner?.id ?? '') : entry.id
  if (kind === 'person') return { person: id }
  if (kind === 'seat') return { seat: id }
  return kind === 'organisation' ? { org: id } : undefined
}

/** The person an entry is or belongs to; of a seat, who sits there. */
export function personOf(entry: Entry): string | undefined {
  if (entry.kind === 'seat') return entry.seat?.sitting?.id
  return targetOf(entry)?.person
}

/** Of several entries each target once. */
export function targetsOf(entries: readonly Entry[]): Target[] {
  const found = new Map<string, Target>()
  for (const entry of entries) {
    const target = targetOf(entry)
    if (target) found.set(JSON.stringify(target), target)
  }
  return [...found.values()]
}

export function shownPresence(entry: Entry, presence: Record<string, PresenceState>): PresenceState | undefined {
  const person = personOf(entry)
  if (person === undefined) return entry.kind === 'seat' && entry.seat ? 'offline' : undefined
  return presence[person] ?? (entry.online ? 'idle' : 'offline')
}

// ---- the tree

type Below =
  | { state: 'loading' }
  | { state: 'ready'; items: Branch[]; next: string | null }
  | { state: 'failed'; error: unknown }

export interface OrgTree {
  /** By the organisation above; '' is the top. */
  below: Readonly<Record<string, Below>>
  open: ReadonlySet<string>
}

export const noTree: OrgTree = { below: {}, open: new Set() }
export const top = ''

export type TreeRow =
  | { kind: 'org'; key: string; depth: number; branch: Branch; open: boolean }
  | { kind: 'more'; key: string; depth: number; of: string }
  | { kind: 'loading'; key: string; depth: number }
  | { kind: 'failed'; key: string; depth: number; of: string; error: unknown }

export function treeRows(tree: OrgTree): TreeRow[] {
  const rows: TreeRow[] = []
  const walk = (of: string, depth: number) => {
    const below = tree.below[of]
    if (!below || below.state === 'loading') rows.push({ kind: 'loading', key: `loading ${of}`, depth })
    else if (below.state === 'failed') rows.push({ kind: 'failed', key: `failed ${of}`, depth, of, error: below.error })
    else {
      for (const branch of below.items) {
        const open = tree.open.has(branch.id) && branch.organisations > 0
        rows.push({ kind: 'org', key: branch.id, depth, branch, open })
        if (open) walk(branch.id, depth + 1)
      }
      if (below.next) rows.push({ kind: 'more', key: `more ${of} ${below.next}`, depth, of })
    }
  }
  walk(top, 0)
  return rows
}

export function withBelow(tree: OrgTree, of: string, below: Below): OrgTree {
  return { ...tree, below: { ...tree.below, [of]: below } }
}

export function toggled(tree: OrgTree, org: string): OrgTree {
  const open = new Set(tree.open)
  if (!open.delete(org)) open.add(org)
  return { ...tree, open }
}

/** What is shown stays until there is newer; what is closed is asked for again when it is opened. */
export function withoutClosed(tree: OrgTree): OrgTree {
  const below = Object.fromEntries(Object.entries(tree.below).filter(([of]) => of === top || tree.open.has(of)))
  return { ...tree, below }
}

export function branchOf(tree: OrgTree, org: string): Branch | undefined {
  for (const below of Object.values(tree.below)) {
    const found = below.state === 'ready' ? below.items.find(one => one.id === org) : undefined
    if (found) return found
  }
  return undefined
}

/** Those above it, the highest first, as far as they are loaded. */
export function pathOf(tree: OrgTree, org: string): Branch[] {
  for (const [above, below] of Object.entries(tree.below)) {
    const found = below.state === 'ready' ? below.items.find(one => one.id === org) : undefined
    if (found) return above === top ? [found] : [...pathOf(tree, above), found]
  }
  return []
}

/** Whether one of the roles administers what stands at the end of the path; what is not loaded the hub decides. */
export function administers(
  roles: readonly { role: string; org_id: string | null }[],
  path: readonly Branch[],
): boolean {
  if (path.length === 0) return true
  return roles.some(({ role, org_id }) => role === 'admin' && (org_id === null || path.some(one => one.id === org_id)))
}

/** What a key means on row `at` of the tree. */
export function treeKeyed(
  rows: readonly TreeRow[],
  at: number,
  key: string,
): { go: number } | { toggle: string } | undefined {
  const marked = rows[at]
  const next = (by: 1 | -1) => {
    for (let i = at + by; i >= 0 && i < rows.length; i += by) if (rows[i]?.kind === 'org') return { go: i }
    return { go: Math.max(at, 0) }
  }
  if (key === 'ArrowDown') return next(1)
  if (key === 'ArrowUp') return next(-1)
  if (marked?.kind !== 'org') return undefined
  if (key === 'ArrowRight')
    return marked.open ? next(1) : marked.branch.organisations > 0 ? { toggle: marked.branch.id } : undefined
  if (key !== 'ArrowLeft') return undefined
  if (marked.open) return { toggle: marked.branch.id }
  for (let i = at - 1; i >= 0; i -= 1) if ((rows[i]?.depth ?? 0) < marked.depth) return { go: i }
  return undefined
}

// ---- lists

/** Terminals of somebody who was found himself say nothing new: his card has them. */
export function condensed<E extends Hit>(found: readonly E[]): E[] {
  const owners = new Set(found.filter(one => one.kind !== 'endpoint').map(one => one.id))
  return found.filter(one => one.kind !== 'endpoint' || !owners.has(one.owner?.id ?? ''))
}

/** Whom one has called or been called by, the newest first, each once. */
export function recentOf(
  calls: readonly {
    legs: readonly { person: { id: string; name: string; org_name: string } }[]
  }[],
  me: string,
  limit = 30,
): Entry[] {
  const found = new Map<string, Entry>()
  for (const call of calls)
    for (const { person } of call.legs) {
      if (person.id === me || found.has(person.id) || found.size >= limit) continue
      const org = { id: '', name: person.org_name }
      found.set(person.id, {
        kind: 'person',
        id: person.id,
        name: person.name,
        about: '',
        org,
        owner: null,
        endpoint: null,
        online: false,
      })
    }
  return [...found.values()]
}

/** The entries chosen, after one more press on `entry`. What cannot be called cannot be chosen. */
export function chosenAfter(chosen: readonly Entry[], entry: Entry, me: string): Entry[] {
  const target = targetOf(entry)
  if (!target || target.person === me) return [...chosen]
  const rest = chosen.filter(one => one.id !== entry.id)
  return rest.length < chosen.length ? rest : [...rest, entry]
}

/** An import's mistakes by line, in the order of the file. */
export function linesOf<M extends { line?: number }>(errors: readonly M[]): [line: number, mistakes: M[]][] {
  const lines = new Map<number, M[]>()
  for (const error of errors) {
    const line = error.line ?? 0
    lines.set(line, [...(lines.get(line) ?? []), error])
  }
  return [...lines].sort(([a], [b]) => a - b)
}

/** What was found, after whoever has this speed key: `12`. */
export function withSpeed<E extends Hit>(
  found: readonly E[],
  contacts: readonly Contact[],
  q: string,
): (E | Contact)[] {
  const meant = /^[1-9]\d?$/.test(q) ? contacts.find(one => one.speed === Number(q)) : undefined
  return meant ? [meant, ...found.filter(one => one.id !== meant.id)] : [...found]
}

/** What a form changed: only that is said to the hub. */
export function changes<T extends Record<string, unknown>>(before: T, now: T): Partial<T> {
  return Object.fromEntries(Object.entries(now).filter(([name, value]) => before[name] !== value)) as Partial<T>
}

/** The first of 1–99 that nothing has yet. */
export function freeSpeed(contacts: readonly Contact[]): number | null {
  const taken = new Set(contacts.map(one => one.speed))
  for (let n = 1; n <= 99; n += 1) if (!taken.has(n)) return n
  return null
}
