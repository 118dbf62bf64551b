import type { HttpResponse, Platform } from './platform'
import type { Problem } from './types'
import { ulid } from './ulid'

/** A request that did not do what was asked. `code` is the hub's stable code, or `offline`, or `http_<status>`. */
export class HubError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** What is wrong with what: fields of a form, rows of an import. */
    readonly errors: readonly Mistake[] = [],
  ) {
    super(message)
    this.name = 'HubError'
  }
}

/** `text_zh` where the hub says it in both languages. */
export interface Mistake {
  where: string
  text: string
  text_zh?: string
  line?: number
  field?: string
}

export interface RequestOptions {
  query?: Record<string, string | undefined>
  body?: unknown
  /** A body that is no JSON, as it is. */
  file?: { type: string; data: ArrayBuffer }
  ifMatch?: number
  /** A POST that makes something carries a key, so that a repeated one makes it once. */
  once?: boolean
}

const prefix = '/api/v1'

export class Http {
  /** From the session; goes with everything that changes something. */
  csrf = ''
  /** Called when the hub no longer knows us. */
  onSignedOut: (() => void) | undefined
  /** Server clock minus ours, milliseconds; from `Date` headers, so no better than a second. */
  clockOffset = 0

  constructor(private readonly platform: Platform) {}

  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': this.platform.language() }
    if (method !== 'GET') headers['X-CSRF-Token'] = this.csrf
    if (options.body !== undefined) headers['Content-Type'] = 'application/json'
    if (options.file) headers['Content-Type'] = options.file.type
    if (options.ifMatch !== undefined) headers['If-Match'] = `"${options.ifMatch}"`
    if (options.once) headers['Idempotency-Key'] = ulid(this.platform.now(), this.platform.randomBytes(10))
    const body = options.file?.data ?? (options.body === undefined ? undefined : JSON.stringify(options.body))
    const request = { method, headers, ...(body !== undefined && { body }) }
    let response: HttpResponse
    try {
      response = await this.platform.fetch(prefix + path + queryString(options.query), request)
    } catch {
      throw new HubError(0, 'offline', '')
    }
    this.readClock(response.headers.get('Date'))
    const text = await response.text().catch(() => '')
    if (response.status >= 200 && response.status < 300) return (text ? parse(text) : undefined) as T
    if (response.status === 401 && path !== '/session') this.onSignedOut?.()
    const problem = parse(text) as Partial<Problem> | undefined
    const errors = Array.isArray(problem?.errors) ? (problem.errors as Mistake[]) : []
    throw new HubError(response.status, problem?.code ?? `http_${response.status}`, problem?.detail ?? '', errors)
  }

  private readClock(date: string | null): void {
    const server = date ? Date.parse(date) : Number.NaN
    if (Number.isNaN(server)) return
    const offset = server - this.platform.now()
    // The header has whole seconds: a smaller difference says nothing.
    this.clockOffset = Math.abs(offset) > 2000 ? offset : 0
  }
}

function queryString(query: Record<string, string | undefined> = {}): string {
  const parts = Object.entries(query).flatMap(([name, value]) =>
    value ? [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`] : [],
  )
  return parts.length ? `?${parts.join('&')}` : ''
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
