import { createStore } from 'zustand/vanilla'
import { sentence } from '../app/command'
import { hub, terminalId } from '../app/hub'
import { HubError } from '../hub/http'
import type { HubEvent, Page } from '../hub/types'
import { t } from '../i18n'
import { say } from '../ui/overlay'
import {
  activeAt,
  type Call,
  type Calls,
  type CallTicket,
  farewell,
  forgotten,
  legAt,
  readCall,
  withCall,
  withLive,
} from './calls.model'
import type { Line, Shot } from './line'

export interface Target {
  person?: string
  seat?: string
  org?: string
}

interface DeskState {
  calls: Calls
  /** Calls in which this page has a microphone. */
  lines: Record<string, 'joining' | 'in' | 'lost'>
  muted: boolean
  /** By call: what there is to see. */
  shots: Record<string, Shot[]>
}

const kept = 'commhub.calls'
const lastWords = 4000

/** This page's calls: what the hub says of them, what is asked of the hub, and the sound of those talked in here. */
class CallDesk {
  readonly store = createStore<DeskState>(() => ({ calls: {}, lines: {}, muted: false, shots: {} }))
  private readonly lines = new Map<string, Line>()

  /** `<person>:<terminal>`, as the hub names this browser. */
  get terminal(): string {
    return `${hub.store.getState().session?.person.id ?? ''}:${terminalId()}`
  }

  start(): () => void {
    const ends = [
      hub.onEvents(event => this.hear(event)),
      hub.terminal.on('ring', said => {
        this.learn(readCall(said.data.call))
        if (said.auto) void this.answer(said.subject).catch(() => undefined)
      }),
      hub.terminal.on('join', said => {
        this.learn(readCall(said.data.call))
        void this.enter(said.subject)
      }),
      hub.terminal.on('leave', said => this.hangUpLine(said.subject)),
      hub.whenStale(() => void this.reload()),
    ]
    void this.reload()
    return () => {
      for (const end of ends) end()
      for (const id of this.lines.keys()) this.hangUpLine(id, false)
      this.store.setState({ calls: {}, lines: {}, muted: false, shots: {} })
    }
  }

  // ---- what people do

  async call(to: readonly Target[], video = false): Promise<void> {
    const body = { to, terminal: terminalId(), kind: to.length > 1 ? 'conference' : 'point', video }
    await this.begun(await hub.http.request<Call>('POST', '/calls', { body, once: true }))
  }

  /** Whom a call was with that is over. */
  async redial(id: string): Promise<void> {
    const body = { terminal: terminalId() }
    await this.begun(await hub.http.request<Call>('POST', `/calls/${id}/redial`, { body, once: true }))
  }

  private async begun(made: Call): Promise<void> {
    if (made.state === 'ended') {
      say(t(`call.end.${made.end ?? 'failed'}` as 'call.end.busy'), true)
      return
    }
    this.learn(made)
    await this.enter(made.id)
  }

  /** A call that was made otherwise than here, in which this terminal is. */
  async made(value: unknown): Promise<void> {
    const call = readCall(value)
    if (!call || call.state === 'ended') return
    this.learn(call)
    await this.enter(call.id)
  }

  async answer(id: string): Promise<void> {
    await this.act(id, 'answer')
    await this.enter(id)
  }

  decline = (id: string) => this.act(id, 'decline')
  hold = (id: string) => this.act(id, 'hold')
  resume = (id: string) => this.act(id, 'resume')

  async hangUp(id: string): Promise<void> {
    this.hangUpLine(id)
    await this.act(id, 'hangup')
  }

  transfer = (id: string, to: Target) => this.act(id, 'transfer', { to })
  /** Whom one talks to in `consulted` goes on in the call `id`. */
  connect = (id: string, consulted: string) => this.act(id, 'transfer', { call: consulted })
  add = (id: string, to: Target[]) => this.act(id, 'add', { to })

  setMuted(muted: boolean): void {
    this.store.setState({ muted })
    for (const line of this.lines.values()) line.mute(muted)
  }

  /** Rejects when there is no camera. */
  async camera(id: string, on: boolean): Promise<void> {
    await this.lines.get(id)?.camera(on)
  }

  private async act(id: string, verb: string, more: Record<string, unknown> = {}): Promise<void> {
    this.learn(
      await hub.http.request<Call>('POST', `/calls/${id}/${verb}`, { body: { terminal: terminalId(), ...more } }),
    )
  }

  // ---- what the hub says

  private hear(event: HubEvent): void {
    if (event.type.startsWith('call.')) this.learn(readCall((event.data as Record<string, unknown>).call))
  }

  private learn(call: Call | undefined): void {
    const me = hub.store.getState().session?.person.id
    if (!call || !me || !call.legs.some(leg => leg.person.id === me)) return
    const before = this.store.getState().calls[call.id]
    this.store.setState(state => ({ calls: withCall(state.calls, call) }))
    const over = legAt(call, this.terminal)?.state === 'ended'
    if (over) this.hangUpLine(call.id)
    if (call.state !== 'ended' && !over) return
    const was = before && legAt(before, this.terminal)
    const why = farewell(call, this.terminal, me)
    if (was && was.state !== 'ended' && why) say(t(`call.end.${why}` as 'call.end.busy'))
    setTimeout(() => this.store.setState(state => ({ calls: forgotten(state.calls, call.id) })), lastWords)
  }

  private async reload(): Promise<void> {
    if (!hub.can('call.list')) return
    try {
      const found = await hub.http.request<Page<Call>>('GET', '/calls', { query: { mine: 'true', state: 'live' } })
      this.store.setState(state => ({ calls: withLive(state.calls, found.items) }))
      for (const id of this.lines.keys())
        if (!activeAt(this.store.getState().calls, this.terminal).some(c => c.id === id)) this.hangUpLine(id)
      // This page was loaded again in the middle of a call.
      for (const call of activeAt(this.store.getState().calls, this.terminal))
        if (ours().includes(call.id) && !this.lines.has(call.id)) void this.enter(call.id)
    } catch (error) {
      if (!(error instanceof HubError)) throw error
    }
  }

  // ---- sound

  private async enter(id: string): Promise<void> {
    if (this.lines.has(id)) return
    remember(id, true)
    this.tell(id, 'joining')
    try {
      const [{ Line }, ticket] = await Promise.all([
        import('./line'),
        hub.http.request<CallTicket>('POST', `/calls/${id}/join`, { body: { terminal: terminalId() } }),
      ])
      if (this.lines.has(id)) return
      const line = new Line({
        state: state => this.tell(id, state),
        shots: shots => this.store.setState(now => ({ shots: { ...now.shots, [id]: shots } })),
      })
      this.lines.set(id, line)
      await line.open(ticket, this.store.getState().muted)
      // Without a camera one is heard all the same.
      if (this.store.getState().calls[id]?.video) await line.camera(true).catch(error => say(sentence(error), true))
    } catch (error) {
      // Hung up meanwhile: nobody misses it.
      const call = this.store.getState().calls[id]
      if (!call || call.state === 'ended' || legAt(call, this.terminal)?.state === 'ended') return
      if (!ours().includes(id)) return
      this.hangUpLine(id)
      say(t('call.noSound', { reason: sentence(error) }), true)
    }
  }

  private tell(id: string, state: 'joining' | 'in' | 'lost'): void {
    this.store.setState(now => ({ lines: { ...now.lines, [id]: state } }))
  }

  private hangUpLine(id: string, forget = true): void {
    this.lines.get(id)?.close()
    this.lines.delete(id)
    if (forget) remember(id, false)
    this.store.setState(state => {
      const { [id]: _line, ...lines } = state.lines
      const { [id]: _shots, ...shots } = state.shots
      return { lines, shots }
    })
  }
}

/** The calls this page, and no other one of the browser, has the sound of. */
function ours(): string[] {
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(kept) ?? '[]')
    return Array.isArray(found) ? found.filter(one => typeof one === 'string') : []
  } catch {
    return []
  }
}

function remember(id: string, on: boolean): void {
  const others = ours().filter(one => one !== id)
  sessionStorage.setItem(kept, JSON.stringify(on ? [...others, id] : others))
}

export const desk = new CallDesk()
