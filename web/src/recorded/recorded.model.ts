import type { HubEvent } from '../hub/types'

export type Kind = 'call' | 'group' | 'camera'
export type State = 'off' | 'recording' | 'paused' | 'failed'

/** What is recorded besides consultations: by the id of the call, group or camera. */
export type Recorded = Readonly<Record<string, State>>

export interface RecordedRoom {
  kind: Kind
  subject: string
  state: State
}

const states: readonly unknown[] = ['off', 'recording', 'paused', 'failed']

/** As it is after the event; the same object when that says nothing of it. */
export function withEvent(recorded: Recorded, event: Pick<HubEvent, 'type' | 'subject' | 'data'>): Recorded {
  if (!/^(call|group|camera)\.recording$/.test(event.type) || !event.subject) return recorded
  const state = (event.data as { state?: unknown } | null)?.state
  if (!states.includes(state)) return recorded
  const { [event.subject]: _before, ...others } = recorded
  return state === 'off' ? others : { ...others, [event.subject]: state as State }
}

export function fromList(items: readonly RecordedRoom[]): Recorded {
  return Object.fromEntries(items.filter(one => one.state !== 'off').map(one => [one.subject, one.state]))
}
