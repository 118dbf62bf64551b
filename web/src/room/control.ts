import { hub } from '../app/hub'
import type { Consultation, Control, Waiting } from '../hub/types'
import { controlOf } from './control.model'

const id = encodeURIComponent
const turns = new Map<string, Promise<void>>()

/** The calls of conference control. Every one rejects with `HubError`; what answers with the consultation is learnt. */
export function lead(consultation: Consultation) {
  const path = `/consultations/${id(consultation.id)}`
  const now = () => controlOf(hub.store.getState().consultations[consultation.id] ?? consultation)
  const learn = async (answer: Promise<Consultation>) => hub.learn(await answer)
  // One after another, each on what the one before came to: a second press is neither lost nor stale.
  const put = (what: string, body: () => unknown) => {
    const done = (turns.get(consultation.id) ?? Promise.resolve()).then(() =>
      learn(hub.http.request<Consultation>('PUT', `${path}/${what}`, { body: body(), ifMatch: now().rev })),
    )
    const settled = done.then(
      () => undefined,
      () =>
        hub.load(consultation.id).then(
          () => undefined,
          () => undefined,
        ),
    )
    turns.set(consultation.id, settled)
    return done
  }
  const post = (what: string, body: unknown) =>
    learn(hub.http.request<Consultation>('POST', `${path}/${what}`, { body }))
  const remove = (what: string) => hub.http.request<void>('DELETE', `${path}/${what}`)
  return {
    chair: (person: string) => put('chair', () => ({ person })),
    coChair: (person: string, on: boolean) =>
      put('co-chairs', () => {
        const others = now().co_chairs.filter(one => one !== person)
        return { people: on ? [...others, person] : others }
      }),
    mute: (unmute: boolean) => put('muting', () => ({ muted: true, unmute })),
    unmute: () => put('muting', () => ({ muted: false })),
    allow: (person: string) => post('speakers', { person }),
    disallow: (person: string) => remove(`speakers/${id(person)}`),
    broadcast: (person: string | null) => put('broadcast', () => ({ person })),
    stage: (change: Partial<Pick<Control, 'layout' | 'spotlight'>>) =>
      put('stage', () => ({ layout: now().layout, spotlight: now().spotlight, ...change })),
    hand: (up: boolean) => (up ? post('hand', undefined) : remove('hand')),
    order: (order: Control['order']) => put('hands', () => ({ order })),
    callOn: (person: string) => post(`hands/${id(person)}/call`, undefined),
    lower: (person: string) => remove(`hands/${id(person)}`),
    lowerAll: () => remove('hands'),
    lobby: (mode: Control['lobby']) => put('lobby', () => ({ mode })),
    waiting: () => hub.http.request<{ items: Waiting[] }>('GET', `${path}/lobby`),
    admit: (who: { people?: string[]; posts?: string[]; organisations?: string[]; everybody?: boolean }) =>
      post('lobby/admit', who),
    refuse: (person: string, reason: string) =>
      hub.http.request<void>('POST', `${path}/lobby/refuse`, { body: { person, reason } }),
    sendBack: (person: string) => hub.http.request<void>('POST', `${path}/lobby/return`, { body: { person } }),
    giveUp: () => remove('wait'),
    side: (title: string, people: string[], listen: boolean) => post('sides', { title, people, listen }),
    endSide: (side: string) => remove(`sides/${id(side)}`),
    planEnd: (endsAt: string | null) => put('planned-end', () => ({ ends_at: endsAt })),
    extend: (minutes: number) => post('extension', { minutes }),
  }
}

export type Lead = ReturnType<typeof lead>
