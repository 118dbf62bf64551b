import { createStore } from 'zustand/vanilla'
import { sentence } from '../app/command'
import { hub, terminalId } from '../app/hub'
import { navigate } from '../app/router'
import { desk as calls } from '../calls/desk'
import { groups } from '../groups/desk'
import { HubError } from '../hub/http'
import { t } from '../i18n'
import { say } from '../ui/overlay'
import {
  type Act,
  type Acts,
  type Allowed,
  type Done,
  type ForcedVerb,
  type Joining,
  nothing,
  type Order,
  putAway,
  readAct,
  withAct,
  withRunning,
} from './dispatch.model'
import type { Ear } from './ear'

interface DispatchState extends Acts {
  /** The sound of what this page does itself. */
  lines: Record<string, 'joining' | 'in' | 'lost'>
  speaking: boolean
}

/** Whom a menu is about, and on which line when that is known. */
export interface Aim {
  person: string
  call?: string
  consultation?: string
  group?: string
}

/** What is done to lines: asked of the hub, told by it, and heard here. */
class DispatchDesk {
  readonly store = createStore<DispatchState>(() => ({ ...nothing, lines: {}, speaking: false }))
  private readonly ears = new Map<string, Ear>()

  start(): () => void {
    const ends = [
      hub.onEvents(event => {
        if (event.type.startsWith('dispatch.')) this.learn(readAct((event.data as Record<string, unknown>).act))
      }),
      hub.whenStale(() => void this.reload()),
    ]
    void this.reload()
    return () => {
      for (const end of ends) end()
      for (const id of [...this.ears.keys()]) this.shut(id)
      this.store.setState({ ...nothing, lines: {}, speaking: false })
    }
  }

  allowed = ({ person, call, consultation, group }: Aim) =>
    hub.http.request<Allowed>('GET', '/dispatch/allowed', { query: { person, call, consultation, group } })

  async force(verb: ForcedVerb, order: Order): Promise<Done> {
    const body = { ...order, terminal: terminalId() }
    const done = await hub.http.request<Done>('POST', `/dispatch/${verb}`, { body, once: true })
    this.learn(done.act)
    if (verb === 'preempt') await calls.made(done.call)
    if (done.joining) await this.listen(done.act, done.joining)
    else if (done.act.line.kind === 'consultation' && (verb === 'barge' || verb === 'takeover'))
      navigate(`/room/${done.act.line.id}`)
    else if (done.act.line.kind === 'group' && verb === 'barge') await groups.barged(done.act.line.id)
    return done
  }

  async end(id: string): Promise<void> {
    this.shut(id)
    await hub.http.request('DELETE', `/dispatch/${id}`)
    this.store.setState(state => ({ mine: state.mine.filter(act => act.id !== id) }))
  }

  speak(on: boolean): void {
    const whisper = this.store.getState().mine.find(act => act.verb === 'whisper' && this.ears.has(act.id))
    if (!whisper) return
    this.ears.get(whisper.id)?.speak(on)
    this.store.setState({ speaking: on })
  }

  putAway(id: string): void {
    this.store.setState(state => putAway(state, id))
  }

  private learn(act: Act | undefined): void {
    const me = hub.store.getState().session?.person.id
    if (!act || !me) return
    this.store.setState(state => withAct(state, act, me))
    if (act.ended_at && act.actor.id === me) this.shut(act.id)
  }

  private async reload(): Promise<void> {
    const me = hub.store.getState().session?.person.id
    if (!me) return
    try {
      const found = await hub.http.request<{ items: Act[] }>('GET', '/dispatch')
      this.store.setState(state => withRunning(state, found.items, me))
      for (const id of [...this.ears.keys()]) if (!found.items.some(act => act.id === id)) this.shut(id)
    } catch (error) {
      if (!(error instanceof HubError)) throw error
    }
  }

  private async listen(act: Act, ticket: Joining): Promise<void> {
    this.tell(act.id, 'joining')
    try {
      const { Ear } = await import('./ear')
      const ear = new Ear(state => {
        if (state === 'over') this.shut(act.id)
        else this.tell(act.id, state)
      })
      this.ears.set(act.id, ear)
      await ear.open(ticket, act.verb === 'whisper')
    } catch (error) {
      say(t('call.noSound', { reason: sentence(error) }), true)
      await this.end(act.id).catch(() => undefined)
    }
  }

  private tell(id: string, state: 'joining' | 'in' | 'lost'): void {
    this.store.setState(now => ({ lines: { ...now.lines, [id]: state } }))
  }

  private shut(id: string): void {
    this.ears.get(id)?.close()
    this.ears.delete(id)
    this.store.setState(state => {
      const { [id]: _, ...lines } = state.lines
      return { lines, speaking: false }
    })
  }
}

export const dispatch = new DispatchDesk()
