import { hub } from '../app/hub'
import type { RequestOptions } from '../hub/http'
import type { Page, Person } from '../hub/types'
import type { Branch, Contact, Endpoint, EndpointKind, Hit, OwnerKind, Seat } from './directory.model'

const id = encodeURIComponent
const get = <T>(path: string, query?: Record<string, string | undefined>) =>
  hub.http.request<T>('GET', path, query ? { query } : {})

export interface PersonRecord {
  id: string
  org_id: string
  name: string
  post: string
  level: number
  seat_id: string | null
  endpoints: Endpoint[]
  rev: number
}

export interface Reachable {
  org: { id: string; name: string }
  accounts: number
  kinds: Partial<Record<EndpointKind, number>>
  liaison: Seat | null
  problem: '' | 'no_liaison_seat' | 'nobody_at_liaison_seat' | 'no_telephone' | 'no_account'
  tested_at: string | null
  tested_well: boolean | null
}

export interface Imported {
  dry_run: boolean
  entries: Record<string, { created: number; changed: number }>
  unchanged: number
}

/** A record of which forms only know that it has a revision. */
export type Fields = Record<string, string | number | boolean | null>
export type Plural = 'organisations' | 'people' | 'seats' | 'places' | 'endpoints'

/** The directory's calls of `/api/v1`. Every one rejects with `HubError`. */
export const api = {
  branches: (org: string | undefined, cursor?: string) => get<Page<Branch>>('/directory/tree', { org, cursor }),
  people: (org: string, cursor?: string) => get<Page<Person>>('/people', { org, cursor, limit: '200' }),
  seats: (org: string) => get<Page<Seat>>('/seats', { org, limit: '200' }),
  search: (q: string) => get<{ items: Hit[]; more: boolean }>('/directory/search', { q, limit: '100' }),
  contacts: () => get<{ items: Contact[] }>('/directory/contacts'),
  keep: (entry: string, speed: number | null) =>
    hub.http.request<{ items: Contact[] }>('PUT', `/directory/contacts/${id(entry)}`, { body: { speed } }),
  letGo: (entry: string) => hub.http.request<void>('DELETE', `/directory/contacts/${id(entry)}`),
  report: (org: string) => get<{ items: Reachable[] }>('/directory/connectivity', { org }),
  person: (key: string) => get<PersonRecord>(`/people/${id(key)}`),
  seat: (key: string) => get<Seat>(`/seats/${id(key)}`),
  endpoints: (owner: OwnerKind, key: string) => get<Page<Endpoint>>('/endpoints', { [owner]: key }),
  signOn: (seat: string, takeover: boolean, reason: string) =>
    hub.http.request<Seat>('POST', `/seats/${id(seat)}/sign-on`, { body: { takeover, reason } }),
  signOff: (seat: string) => hub.http.request<Seat>('POST', `/seats/${id(seat)}/sign-off`),

  record: (plural: Plural, key: string) => get<Fields & { id: string; rev: number }>(`/${plural}/${id(key)}`),
  make: (plural: Plural, body: Fields) => hub.http.request<{ id: string }>('POST', `/${plural}`, { body, once: true }),
  change: (plural: Plural, key: string, rev: number, body: Fields) =>
    hub.http.request<{ id: string }>('PATCH', `/${plural}/${id(key)}`, { body, ifMatch: rev }),
  remove: (plural: Plural, key: string, rev: number) =>
    hub.http.request<void>('DELETE', `/${plural}/${id(key)}`, { ifMatch: rev }),
  take: (file: NonNullable<RequestOptions['file']>, dryRun: boolean) =>
    hub.http.request<Imported>('POST', '/directory/import', { file, query: { dry_run: dryRun ? 'true' : undefined } }),
  /** Where the browser downloads it. */
  given: (format: 'csv' | 'json', org: string | undefined) =>
    `/api/v1/directory/export?format=${format}${org ? `&org=${id(org)}` : ''}`,
}
