import { hub } from '../app/hub'
import type { Label } from '../hub/types'
import type { AgendaItem, Attendance, Member, Minutes, Occurrence, Repeats, Reply } from './agenda.model'

const id = encodeURIComponent
const item = (key: string) => `/agenda/${id(key)}`
const one = (key: string, at: number) => `${item(key)}/occurrences/${at}`

export interface Scheduling {
  title: string
  starts_at: string
  minutes: number
  label: Label
  notes: string
  repeats: Repeats
  begins: 'self' | 'chair'
  early_minutes: number
  record: boolean
  organisations: string[]
  people: string[]
}

export interface Clash {
  person: Member
  title: string | null
  starts_at: string
  ends_at: string
}

/** Rejects with `HubError`. */
export const agendaApi = {
  between: (after: string, before: string) =>
    hub.http.request<{ items: Occurrence[] }>('GET', '/agenda', { query: { after, before } }),
  one: (key: string) => hub.http.request<AgendaItem>('GET', item(key)),
  create: (body: Scheduling) => hub.http.request<AgendaItem>('POST', '/agenda', { body, once: true }),
  change: (key: string, rev: number, body: Scheduling) =>
    hub.http.request<AgendaItem>('PUT', item(key), { body, ifMatch: rev }),
  cancel: (key: string) => hub.http.request<void>('POST', `${item(key)}/cancel`, { body: {} }),
  changeOne: (key: string, at: number, rev: number, body: { starts_at?: string; cancelled?: boolean }) =>
    hub.http.request<AgendaItem>('PATCH', one(key, at), { body, ifMatch: rev }),
  reply: (key: string, reply: Reply, comment: string, at?: number) =>
    hub.http.request<AgendaItem>('POST', `${item(key)}/reply`, { body: { reply, comment, ...(at && { at }) } }),
  clashes: (starts_at: string, minutes: number, people: string[], without?: string) =>
    hub.http.request<{ items: Clash[] }>('POST', '/agenda/clashes', {
      body: { starts_at, minutes, people, ...(without && { without }) },
    }),
  start: (key: string, at: number) => hub.http.request<{ consultation_id: string }>('POST', `${one(key, at)}/start`),
  enter: (key: string, at: number) => hub.http.request<{ consultation_id: string }>('POST', `${one(key, at)}/enter`),
  calendar: (key: string) => `/api/v1${item(key)}/calendar`,
  addMaterial: (key: string, name: string, type: string, data: ArrayBuffer) =>
    hub.http.request<void>('POST', `${item(key)}/materials`, { query: { name }, file: { type, data } }),
  material: (key: string, material: string) => `/api/v1${item(key)}/materials/${id(material)}`,
  removeMaterial: (key: string, material: string) =>
    hub.http.request<void>('DELETE', `${item(key)}/materials/${id(material)}`),
  attendance: (key: string, at: number) => hub.http.request<Attendance>('GET', `${one(key, at)}/attendance`),
  sign: (key: string, at: number, person?: string) =>
    hub.http.request<Attendance>('POST', `${one(key, at)}/attendance`, { body: person ? { person } : {} }),
  attendanceReport: (key: string, at: number) => `/api/v1${one(key, at)}/attendance/report`,
  minutes: (key: string, at: number) => hub.http.request<Minutes>('GET', `${one(key, at)}/minutes`),
  writeMinutes: (key: string, at: number, rev: number, text: string) =>
    hub.http.request<Minutes>('PUT', `${one(key, at)}/minutes`, { body: { text }, ifMatch: rev }),
  signMinutes: (key: string, at: number, rev: number) =>
    hub.http.request<Minutes>('POST', `${one(key, at)}/minutes/sign`, { ifMatch: rev }),
  minutesFile: (key: string, at: number, format: 'text' | 'html') =>
    `/api/v1${one(key, at)}/minutes/file?format=${format}`,
}
