import { hub, terminalId } from '../app/hub'
import type { CallTicket } from '../calls/calls.model'
import type { Emergency, FloorWord, Group, Kind } from './groups.model'

const group = (id: string) => `/groups/${encodeURIComponent(id)}`
const post = <T>(path: string, body?: unknown) => hub.http.request<T>('POST', path, body === undefined ? {} : { body })

export interface NewGroup {
  name: string
  kind: Kind
  members?: string[]
  listeners?: string[]
  groups?: string[]
  organisation?: string
}

export type Action = 'request' | 'release' | 'override' | 'revoke' | 'queue_leave'

/** The groups' calls of `/api/v1`. Every one rejects with `HubError`. */
export const api = {
  list: () => hub.http.request<{ items: Group[] }>('GET', '/groups'),
  one: (id: string) => hub.http.request<Group>('GET', group(id)),
  make: (body: NewGroup) => hub.http.request<Group>('POST', '/groups', { body, once: true }),
  change: (id: string, rev: number, body: Partial<NewGroup>) =>
    hub.http.request<Group>('PATCH', group(id), { body, ifMatch: rev }),
  remove: (id: string) => hub.http.request<void>('DELETE', group(id)),
  listen: (id: string, selected: boolean) =>
    post<Group>(`${group(id)}/affiliate`, { terminal: terminalId(), selected }),
  unlisten: (id: string) => post<Group>(`${group(id)}/unaffiliate`),
  call: (id: string, everybody: boolean) => post<Group>(`${group(id)}/call`, { everybody }),
  join: (id: string) => post<CallTicket>(`${group(id)}/join`, { terminal: terminalId() }),
  end: (id: string) => post<Group>(`${group(id)}/end`),
  floor: (id: string, action: Action, reason = '') =>
    post<FloorWord>(`${group(id)}/floor`, { action, terminal: terminalId(), reason }),
  emergency: (id: string, kind: Emergency['kind'], reason = '') =>
    post<Emergency>(`${group(id)}/emergency`, { kind, terminal: terminalId(), reason }),
  calm: (id: string, reason: string) => post<Group>(`${group(id)}/emergency/cancel`, { reason }),
  emergencies: () => hub.http.request<{ items: Emergency[] }>('GET', '/emergencies'),
  acknowledge: (id: string) => post<Emergency>(`/emergencies/${encodeURIComponent(id)}/acknowledge`),
}
