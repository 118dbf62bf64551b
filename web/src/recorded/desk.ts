import { useEffect } from 'react'
import { useStore } from 'zustand'
import { createStore } from 'zustand/vanilla'
import { hub } from '../app/hub'
import { HubError } from '../hub/http'
import { fromList, type Kind, type Recorded, type RecordedRoom, type State, withEvent } from './recorded.model'

/** Which calls, groups and cameras are being recorded, as far as this person may know; followed while somebody looks. */
class RecordedDesk {
  readonly store = createStore<{ now: Recorded }>(() => ({ now: {} }))
  private lookers = 0
  private end: (() => void) | undefined

  look(): () => void {
    this.lookers += 1
    if (this.lookers === 1) this.start()
    return () => {
      this.lookers -= 1
      if (this.lookers > 0) return
      this.end?.()
      this.end = undefined
    }
  }

  async act(kind: Kind, id: string, action: 'start' | 'stop'): Promise<void> {
    const room = await hub.http.request<RecordedRoom>('POST', `/${kind}s/${id}/recording`, { body: { action } })
    this.hear({ type: `${kind}.recording`, subject: id, data: { state: room.state } })
  }

  private start(): void {
    const ends = [hub.onEvents(event => this.hear(event)), hub.whenStale(() => void this.reload())]
    this.end = () => {
      for (const end of ends) end()
    }
    void this.reload()
  }

  private hear(event: Parameters<typeof withEvent>[1]): void {
    this.store.setState(state => ({ now: withEvent(state.now, event) }))
  }

  private async reload(): Promise<void> {
    if (!hub.can('camera.list')) return
    try {
      const found = await hub.http.request<{ items: RecordedRoom[] }>('GET', '/recorded')
      this.store.setState({ now: fromList(found.items) })
    } catch (error) {
      if (!(error instanceof HubError)) throw error
    }
  }
}

export const recorded = new RecordedDesk()

export function useRecorded(id: string): State {
  useEffect(() => recorded.look(), [])
  return useStore(recorded.store, state => state.now[id] ?? 'off')
}
