import { hub } from '../app/hub'
import type { Page } from '../hub/types'
import type { RollAct, RollCall, RollQuestion } from './rollcalls.model'

const id = encodeURIComponent

export interface NewRoll {
  kind: 'speak' | 'sequence'
  people: string[]
  answer_seconds: number
  limit_seconds: number
}

export interface NewPosts {
  title: string
  organisations: string[]
  people: string[]
  of: 'people' | 'seats' | 'both'
  below: boolean
  window_seconds: number
}

/** Rejects with `HubError`. */
export const rollApi = {
  begin: (consultation: string, body: NewRoll) =>
    hub.http.request<RollCall>('POST', `/consultations/${id(consultation)}/roll-calls`, { body, once: true }),
  posts: (body: NewPosts) => hub.http.request<RollCall>('POST', '/roll-calls', { body, once: true }),
  listed: (query: { consultation?: string; state?: string }) =>
    hub.http.request<Page<RollCall>>('GET', '/roll-calls', { query }),
  one: (roll: string) => hub.http.request<RollCall>('GET', `/roll-calls/${id(roll)}`),
  asked: () => hub.http.request<{ items: RollQuestion[] }>('GET', '/roll-calls/asked'),
  step: (roll: RollCall, action: RollAct, person?: string) =>
    hub.http.request<RollCall>('POST', `/roll-calls/${id(roll.id)}/step`, {
      body: { action, ...(person !== undefined && { person }) },
      ifMatch: roll.rev,
    }),
  answer: (roll: string) => hub.http.request<void>('POST', `/roll-calls/${id(roll)}/answer`),
  report: (roll: string) => `/api/v1/roll-calls/${id(roll)}/report`,
}
