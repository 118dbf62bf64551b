import { hub } from '../app/hub'
import type { Consultation, Control, Waiting } from '../hub/types'
import { controlOf } from './control.model'

const id = encodeURIComponent

/** The calls of conference control. Every one rejects with `HubError`; what answers with the consultation is learnt. */
export function lead(consultation: Consultation) {
  const path = `/consultations/${id(consultation.id)}`
  const learn = async (answer: Promise<Consultation>) => hub.learn(await answer)
  const put = (what: string, body: unknown) =>
    learn(
      hub.http
        .request<Consultation>('PUT', `${path}/${what}`, { body, ifMatch: controlOf(consultation).rev })
        .catch(async error => {
          await hub.load(consultation.id).catch(() => undefined)
          throw error
        }),
    )
  const post = (what: string, body: unknown) =>
    learn(hub.http.request<Consultation>('POST', `${path}/${what}`, { body }))
  const remove = (what: string) => hub.http.request<void>('DELETE', `${path}/${what}`)
  return {
    chair: (person: string) => put('chair', { person }),
    coChairs: (people: string[]) => put('co-chairs', { people }),
    mute: (unmute: boolean) => put('muting', { muted: true, unmute }),
    unmute: () => put('muting', { muted: false }),
    allow: (person: string) => post('speakers', { person }),
    disallow: (person: string) => remove(`speakers/${id(person)}`),
    broadcast: (person: string | null) => put('broadcast', { person }),
    stage: (layout: Control['layout'], spotlight: string) => put('stage', { layout, spotlight }),
    hand: (up: boolean) => (up ? post('hand', undefined) : remove('hand')),
    order: (order: Control['order']) => put('hands', { order }),
    callOn: (person: string) => post(`hands/${id(person)}/call`, undefined),
    lower: (person: string) => remove(`hands/${id(person)}`),
    lowerAll: () => remove('hands'),
    lobby: (mode: Control['lobby']) => put('lobby', { mode }),
    waiting: () => hub.http.request<{ items: Waiting[] }>('GET', `${path}/lobby`),
    admit: (who: { people?: string[]; posts?: string[]; everybody?: boolean }) => post('lobby/admit', who),
    refuse: (person: string, reason: string) =>
      hub.http.request<void>('POST', `${path}/lobby/refuse`, { body: { person, reason } }),
    sendBack: (person: string) => hub.http.request<void>('POST', `${path}/lobby/return`, { body: { person } }),
    giveUp: () => remove('wait'),
    side: (title: string, people: string[], listen: boolean) => post('sides', { title, people, listen }),
    endSide: (side: string) => remove(`sides/${id(side)}`),
    planEnd: (endsAt: string | null) => put('planned-end', { ends_at: endsAt }),
    extend: (minutes: number) => post('extension', { minutes }),
  }
}

export type Lead = ReturnType<typeof lead>
