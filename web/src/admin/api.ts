import { hub } from '../app/hub'
import type { Page, Recording } from '../hub/types'
import type { Candidate, Kind, Layers, Mode, Policies, Policy } from './policies.model'

const id = encodeURIComponent
const get = <T>(path: string, query?: Record<string, string | undefined>) =>
  hub.http.request<T>('GET', path, query ? { query } : {})
const path = (of: Pick<Policy, 'kind' | 'subject'>) => `/recording-policies/${of.kind}/${id(of.subject)}`
const most = 20

interface Party {
  name: string
}

/** Rejects with `HubError`. */
export const policiesApi = {
  all: () => get<Policies>('/recording-policies'),
  one: (kind: Kind, subject: string) => get<Policy>(path({ kind, subject })),
  set: (of: Policy, mode: Mode | null, layers: Layers) =>
    hub.http.request<Policy>('PUT', path(of), { body: { mode, layers }, ifMatch: of.rev }),
  tied: (incident: string) => get<Page<Recording>>('/recordings', { incident, limit: '100' }),
  tie: (recording: string, incident: string) =>
    hub.http.request<void>('PUT', `/recordings/${id(recording)}/incident`, { body: { incident } }),
}

/** What of a kind can get a policy, by some letters: consultations and calls that are on, all groups and cameras. */
export const candidates: Record<Kind, (q: string) => Promise<Candidate[]>> = {
  consultation: async q => {
    const found = await hub.api.consultations('live', q)
    return found.items
      .slice(0, most)
      .map(one => ({ kind: 'consultation', id: one.id, title: one.title, detail: one.code }))
  },
  call: async q => {
    const found = await get<Page<{ id: string; parties: Party[]; created_by: Party }>>('/calls', { state: 'live' })
    const calls = found.items.map(one => {
      const title = one.parties.map(party => party.name).join('、')
      return { kind: 'call' as const, id: one.id, title, detail: one.created_by.name }
    })
    return named(calls, q)
  },
  group: async q => {
    const found = await get<{ items: { id: string; name: string; org: Party }[] }>('/groups')
    return named(
      found.items.map(one => ({ kind: 'group', id: one.id, title: one.name, detail: one.org.name })),
      q,
    )
  },
  camera: async q => {
    const found = await hub.cameras.find({ q, limit: most })
    return found.items.map(one => ({ kind: 'camera', id: one.id, title: one.name, detail: one.org?.name ?? '' }))
  },
}

function named(all: Candidate[], q: string): Candidate[] {
  const wanted = q.toLowerCase()
  return all.filter(one => one.title.toLowerCase().includes(wanted)).slice(0, most)
}
