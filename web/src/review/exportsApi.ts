import { hub } from '../app/hub'
import type { ExportView, NewExport } from '../hub/exportTypes'
import type { Page } from '../hub/types'

const of = (recording: string) => `/recordings/${encodeURIComponent(recording)}/exports`
const one = (item: ExportView) => `${of(item.recording_id)}/${encodeURIComponent(item.id)}`

/** Rejects with `HubError`. */
export const exportsApi = {
  list: (recording: string) => hub.http.request<Page<ExportView>>('GET', of(recording)),
  waiting: () => hub.http.request<Page<ExportView>>('GET', '/exports/waiting'),
  ask: (recording: string, wanted: NewExport) =>
    hub.http.request<ExportView>('POST', of(recording), { body: wanted, once: true }),
  decide: (item: ExportView, act: 'approve' | 'refuse', reason: string) =>
    hub.http.request<ExportView>('POST', `${one(item)}/${act}`, { body: { reason }, ifMatch: item.rev }),
  cancel: (item: ExportView) => hub.http.request<void>('DELETE', one(item)),
}
