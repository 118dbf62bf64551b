/** What follows for a page from how a consultation is led. People by their ids, times in milliseconds. */

import type { Consultation, Control, Waiting } from '../hub/types'

export const nothing: Control = {
  rev: 0,
  chair: '',
  acting: '',
  co_chairs: [],
  muted: false,
  unmute: true,
  speakers: [],
  order: 'rank',
  hands: [],
  lobby: 'off',
  layout: '',
  spotlight: '',
  broadcast: '',
  ends_at: null,
  sides: [],
  allowed: [],
}

/** Events of an older hub have none. */
export function controlOf(consultation: Pick<Consultation, 'control'>): Control {
  return consultation.control ?? nothing
}

export function personOf(identity: string): string {
  return identity.split(':')[0] ?? identity
}

export type Role = 'chair' | 'acting' | 'co_chair' | ''

export function roleOf(control: Control, person: string): Role {
  if (person === control.chair) return 'chair'
  if (person === control.acting) return 'acting'
  return control.co_chairs.includes(person) ? 'co_chair' : ''
}

/** Why nobody hears this person, whatever his microphone does. */
export function silenced(control: Control, person: string): 'broadcast' | 'muted' | undefined {
  if (control.broadcast) return control.broadcast === person ? undefined : 'broadcast'
  if (!control.muted || control.unmute || roleOf(control, person)) return undefined
  const apart = control.sides.some(side => side.people.includes(person))
  return apart || control.speakers.includes(person) ? undefined : 'muted'
}

/** 1 is next; 0: the hand is down. */
export function handPlace(control: Control, person: string): number {
  return control.hands.findIndex(hand => hand.person === person) + 1
}

export function sideOf(control: Control, person: string): Control['sides'][number] | undefined {
  return control.sides.find(side => side.people.includes(person))
}

/**
 * Whom a line of the chat reaches while some talk apart: whoever would hear the person who writes it. Undefined: everybody.
 * It is never empty: a line for nobody would go to all.
 */
export function readers(control: Control, me: string, others: readonly string[]): string[] | undefined {
  if (!control.sides.length) return undefined
  const mine = sideOf(control, personOf(me))
  const reached = others.filter(one => {
    const theirs = sideOf(control, personOf(one))
    return theirs === mine || (mine === undefined && theirs?.listen === true)
  })
  return reached.length === others.length ? undefined : [me, ...reached]
}

/** The picture that everybody is to see large, where its participant is there: of who is broadcast, else of the spotlight. */
export function spotlit(control: Control, tiles: readonly { id: string; identity: string }[]): string | undefined {
  const wanted = (identity: string) =>
    control.broadcast ? personOf(identity) === control.broadcast : identity === control.spotlight
  const found = tiles.filter(tile => wanted(tile.identity))
  return (found.find(tile => tile.id.endsWith('/screen')) ?? found[0])?.id
}

/** What the page shows: forced for all, else what this person chose. */
export function layoutOf(control: Control, spot: string | undefined, own: 'grid' | 'speaker'): 'grid' | 'speaker' {
  if (control.broadcast && spot) return 'speaker'
  if (control.layout) return control.layout
  return spot && control.spotlight ? 'speaker' : own
}

/** Whole minutes until the planned end, rounded up; negative or 0 when it has passed; undefined: none is planned. */
export function minutesLeft(control: Control, now: number): number | undefined {
  return control.ends_at === null ? undefined : Math.ceil((Date.parse(control.ends_at) - now) / 60_000)
}

/** By what those who wait can be let in together: posts and organisations that several have, or that any has. */
export function groupsOf(waiting: readonly Waiting[]): {
  posts: string[]
  organisations: { id: string; name: string }[]
} {
  const named = new Map(waiting.filter(one => one.org_id !== '').map(one => [one.org_id, one.org_name]))
  return {
    posts: [...new Set(waiting.map(one => one.post).filter(post => post !== ''))].sort(),
    organisations: [...named].map(([id, name]) => ({ id, name })),
  }
}
