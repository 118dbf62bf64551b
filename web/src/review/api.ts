import { hub } from '../app/hub'
import type { FoundPage, Lanes, Mark, Marks, Thumbnails, Waveform } from './shapes.model'

const id = encodeURIComponent
const of = (recording: string) => `/recordings/${id(recording)}`

export interface NewMark {
  kind: Mark['kind']
  at_ms: number
  until_ms?: number | null
  title: string
  text: string
}

/** Rejects with `HubError`. */
export const reviewApi = {
  lanes: (recording: string, after: number) =>
    hub.http.request<Lanes>('GET', `${of(recording)}/lanes`, { query: { after: after ? String(after) : undefined } }),
  marks: (recording: string) => hub.http.request<Marks>('GET', `${of(recording)}/marks`),
  mark: (recording: string, body: NewMark) =>
    hub.http.request<Mark>('POST', `${of(recording)}/marks`, { body, once: true }),
  change: (recording: string, mark: Mark, body: Partial<NewMark>) =>
    hub.http.request<Mark>('PATCH', `${of(recording)}/marks/${id(mark.id)}`, { body, ifMatch: mark.rev }),
  remove: (recording: string, mark: Mark) =>
    hub.http.request<void>('DELETE', `${of(recording)}/marks/${id(mark.id)}`, { ifMatch: mark.rev }),
  search: (q: string, cursor?: string) =>
    hub.http.request<FoundPage>('GET', '/recordings/search', { query: { q, cursor } }),
  thumbnails: (recording: string, track: string) =>
    hub.http.request<Thumbnails>('GET', `${of(recording)}/thumbnails/${id(track)}`),
  waveform: (recording: string, track: string, step: number) =>
    hub.http.request<Waveform>('GET', `${of(recording)}/waveforms/${id(track)}`, { query: { step_ms: String(step) } }),
}
