import { type Api, makeApi } from './api'
import { type CameraApi, makeCameraApi } from './cameraApi'
import { EventStream } from './events'
import { Http, HubError } from './http'
import type { Platform } from './platform'
import {
  applyEvent,
  createHubStore,
  dropRing,
  type HubStore,
  initialState,
  postponeRing,
  withConsultation,
  withLive,
} from './state'
import { Terminal } from './terminal'
import type { Consultation, HubEvent, Session } from './types'

/** One signed-in page: the API, the event stream and the state both feed. */
export class Hub {
  readonly http: Http
  readonly api: Api
  readonly cameras: CameraApi
  readonly store: HubStore
  readonly terminal: Terminal
  private readonly stream: EventStream
  private readonly hearers = new Set<(event: HubEvent) => void>()
  private readonly listeners = new Set<(word: Record<string, unknown>) => void>()

  constructor(private readonly platform: Platform) {
    this.http = new Http(platform)
    this.api = makeApi(this.http)
    this.cameras = makeCameraApi(this.http)
    this.store = createHubStore()
    this.http.onSignedOut = () => this.signedOut()
    this.terminal = new Terminal(
      word => this.say(word),
      (people, whole) =>
        this.store.setState(state => ({ presence: whole ? people : { ...state.presence, ...people } })),
    )
    this.stream = new EventStream(platform, {
      event: event => this.onEvent(event),
      resync: () => void this.reload(),
      transient: word => {
        if (!this.terminal.heard(word)) for (const listener of this.listeners) listener(word)
      },
      link: link => {
        this.store.setState({ link })
        if (link.state === 'open') this.terminal.opened()
      },
    })
  }

  /** Server time, milliseconds. */
  now(): number {
    return this.platform.now() + this.http.clockOffset
  }

  can(permission: string): boolean {
    return this.store.getState().session?.permissions.includes(permission) ?? false
  }

  /** Who the cookie says we are. Rejects only when the hub cannot be reached or is ill. */
  async resume(): Promise<void> {
    try {
      this.signedIn(await this.api.session())
    } catch (error) {
      if (!(error instanceof HubError) || error.status !== 401) throw error
      this.signedOut()
    }
  }

  async signIn(account: string, password: string): Promise<void> {
    this.signedIn(await this.api.signIn(account, password))
  }

  async signOut(): Promise<void> {
    await this.api.signOut()
    this.signedOut()
  }

  /** Takes in what a command answered, so that the page need not wait for the event. */
  learn(consultation: Consultation): Consultation {
    this.store.setState(state => ({ consultations: withConsultation(state.consultations, consultation) }))
    return consultation
  }

  /** Loads one consultation with what this person may do in it. */
  async load(id: string): Promise<Consultation> {
    return this.learn(await this.api.consultation(id))
  }

  dismissRing(id: string): void {
    this.store.setState(state => dropRing(state, id))
  }

  postponeRing(id: string, ms: number): void {
    this.store.setState(state => postponeRing(state, id, this.now() + ms))
  }

  /** Every event, after the store has taken it in. The result ends it. */
  onEvents(hear: (event: HubEvent) => void): () => void {
    this.hearers.add(hear)
    return () => this.hearers.delete(hear)
  }

  /** Each time this page may have missed something: what it keeps besides the store is to be loaded again. The result ends it. */
  whenStale(load: () => void): () => void {
    let known = this.store.getState().resyncs
    return this.store.subscribe(state => {
      if (!state.session || state.resyncs === known) return
      known = state.resyncs
      load()
    })
  }

  /** What the hub says to this page alone and keeps no number of. The result ends it. */
  onWords(listen: (word: Record<string, unknown>) => void): () => void {
    this.listeners.add(listen)
    return () => this.listeners.delete(listen)
  }

  /** Says something on the event stream now; false when it is not open. */
  say(word: Record<string, unknown>): boolean {
    return this.stream.say(word)
  }

  retryNow(): void {
    this.stream.retryNow()
  }

  interrupted(): void {
    this.stream.interrupted()
  }

  private signedIn(session: Session): void {
    this.http.csrf = session.csrf
    this.store.setState({ ...initialState, session })
    this.stream.start()
  }

  private signedOut(): void {
    this.stream.stop()
    this.http.csrf = ''
    this.store.setState({ ...initialState, session: null })
  }

  private onEvent(event: HubEvent): void {
    this.store.setState(state => applyEvent(state, event, this.now()))
    for (const hear of this.hearers) hear(event)
  }

  private async reload(): Promise<void> {
    this.store.setState(state => ({ resyncs: state.resyncs + 1 }))
    try {
      const live: Consultation[] = []
      const before = new Set(Object.keys(this.store.getState().consultations))
      let cursor: string | undefined
      do {
        const page = await this.api.consultations('live', '', cursor)
        live.push(...page.items)
        cursor = page.next ?? undefined
      } while (cursor)
      this.store.setState(state => ({ consultations: withLive(state.consultations, live, before), loaded: true }))
    } catch {
      // The stream is open, so the hub is there: try once more when it has settled.
      this.platform.after(2000, () => {
        if (this.store.getState().session) void this.reload()
      })
    }
  }
}
