import { hits } from '../cameras/pinyin.model'
import { condensed, type Hit, personOf, targetOf } from '../directory/directory.model'
import type { Camera } from '../hub/cameraTypes'
import type { Consultation } from '../hub/types'

/** What is found by Ctrl K, and what Enter makes of it. No DOM, no clock. */

export type Kind = 'consultation' | 'group' | 'entry' | 'camera'
/** `call` rings, `talk` chooses the group to talk in, the others show or enter something. */
export type Act = 'join' | 'talk' | 'call' | 'open'

export interface Found {
  key: string
  kind: Kind
  name: string
  about: string
  act: Act
  id: string
  /** Whom a call is for. */
  entry?: Hit
}

interface GroupLike {
  id: string
  name: string
  kind: string
  live: boolean
  affiliated: boolean
  org: { name: string }
}

export interface Sources {
  /** That go on. */
  consultations: readonly Pick<Consultation, 'id' | 'title' | 'code' | 'host' | 'locked' | 'may'>[]
  groups: readonly GroupLike[]
  entries: readonly Hit[]
  cameras: readonly Pick<Camera, 'id' | 'name' | 'place' | 'org'>[]
}

export interface May {
  me: string
  call: boolean
}

const most: Record<Kind, number> = { consultation: 4, group: 4, entry: 8, camera: 6 }

/** In the order they are shown. Without a question: what goes on now, and the groups one listens to. */
export function found(sources: Sources, q: string, may: May): Found[] {
  const wanted = q.trim()
  const names = (text: string) => wanted === '' || hits(text, wanted).length > 0
  const consultations: Found[] = sources.consultations
    .filter(one => names(one.title) || names(one.code))
    .map(one => ({
      key: `consultation ${one.id}`,
      kind: 'consultation',
      name: one.title,
      about: [one.host.name, one.host.org_name].join(' · '),
      act: (one.may ? one.may.includes('join') : !one.locked) ? 'join' : 'open',
      id: one.id,
    }))
  const groups: Found[] = sources.groups
    .filter(one => (wanted === '' ? one.affiliated : names(one.name)))
    .sort((a, b) => Number(b.live) - Number(a.live))
    .map(one => ({
      key: `group ${one.id}`,
      kind: 'group',
      name: one.name,
      about: one.org.name,
      act: one.kind !== 'patched' && one.affiliated ? 'talk' : 'open',
      id: one.id,
    }))
  const entries: Found[] = condensed(sources.entries).map(one => ({
    key: `entry ${one.id}`,
    kind: 'entry',
    name: one.kind === 'endpoint' ? (one.owner?.name ?? one.name) : one.name,
    about: [one.kind === 'endpoint' ? one.name : one.about, one.org.name].filter(Boolean).join(' · '),
    act: callable(one, may) ? 'call' : 'open',
    id: one.id,
    entry: one,
  }))
  const cameras: Found[] = sources.cameras.map(one => ({
    key: `camera ${one.id}`,
    kind: 'camera',
    name: one.name,
    about: [one.place, one.org.short || one.org.name].filter(Boolean).join(' · '),
    act: 'open',
    id: one.id,
  }))
  return [consultations, groups, entries, cameras].flatMap(all => all.slice(0, most[all[0]?.kind ?? 'entry']))
}

/** People and seats ring; a whole organisation is looked at first. */
function callable(entry: Hit, may: May): boolean {
  const target = targetOf(entry)
  return may.call && target !== undefined && !('org' in target) && personOf(entry) !== may.me
}

/** What is still being looked for. */
export interface Searching {
  entries: boolean
  cameras: boolean
}

/** Does the first row stay the first? What the page knows itself comes before what is found, people before cameras. */
export function steady(first: Found | undefined, searching: Searching): boolean {
  if (first?.kind === 'consultation' || first?.kind === 'group') return true
  return !searching.entries && (first?.kind === 'entry' || !searching.cameras)
}

/** Where the mark goes: round at both ends. */
export function moved(at: number, by: number, count: number): number {
  return count === 0 ? 0 : (at + by + count) % count
}

/** Whether going there leaves the room one is in. */
export function leaves(one: Found, act: Act, path: string): boolean {
  if (!path.startsWith('/room/') || act === 'call' || one.kind === 'group') return false
  return path !== `/room/${one.id}`
}
