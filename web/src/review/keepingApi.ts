import { hub } from '../app/hub'
import type { KeptRecording, StorageState, Usage } from '../hub/keepingTypes'
import type { Page, Recording } from '../hub/types'

const id = encodeURIComponent
const of = (recording: string) => `/recordings/${id(recording)}`
const post = (path: string, reason: string, options: { ifMatch?: number; once?: boolean } = {}) =>
  hub.http.request<KeptRecording>('POST', path, { body: { reason }, ...options })

/** Rejects with `HubError`. */
export const keepingApi = {
  one: (recording: string) => hub.http.request<KeptRecording>('GET', `${of(recording)}/keeping`),
  hold: (recording: string, reason: string) => post(`${of(recording)}/holds`, reason, { once: true }),
  lift: (recording: string, hold: string, reason: string) => post(`${of(recording)}/holds/${id(hold)}/lift`, reason),
  ask: (recording: string, reason: string) => post(`${of(recording)}/deletion`, reason, { once: true }),
  refuse: (recording: string, rev: number, reason: string) =>
    post(`${of(recording)}/deletion/refuse`, reason, { ifMatch: rev }),
  confirm: (recording: string, rev: number) =>
    hub.http.request<KeptRecording>('POST', `${of(recording)}/deletion/confirm`, { ifMatch: rev }),
  deletions: () => hub.http.request<Page<Recording>>('GET', '/deletions'),
  storage: () => hub.http.request<StorageState>('GET', '/storage'),
  setQuota: (usage: Usage, bytes: number | null) =>
    hub.http.request<Usage>('PUT', `/storage/${id(usage.org_id)}`, { body: { bytes }, ifMatch: usage.rev }),
}
