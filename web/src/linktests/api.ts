import { hub } from '../app/hub'
import type { Page } from '../hub/types'
import type { LinkReport, LinkTest } from './linktests.model'

/** Rejects with `HubError`. */
export const linkApi = {
  last: () => hub.http.request<Page<LinkTest>>('GET', '/link-tests'),
  history: (organisation: string) =>
    hub.http.request<Page<LinkTest>>('GET', '/link-tests', { query: { organisation } }),
  begin: (organisations: string[]) =>
    hub.http.request<Page<LinkTest>>('POST', '/link-tests', { body: { organisations } }),
  result: (test: string, body: LinkReport) =>
    hub.http.request<void>('POST', `/link-tests/${encodeURIComponent(test)}/result`, { body }),
}
