import type { Consultation, May } from '../hub/types'

/** Whether this person may do something; events do not say it, so what is unknown is left to the hub's answer. */
export function may(consultation: Consultation, what: May): boolean {
  return consultation.may?.includes(what) ?? false
}

export function joinable(consultation: Consultation): boolean {
  if (consultation.state !== 'live') return false
  return consultation.may ? consultation.may.includes('join') : !consultation.locked
}

/** Invited people who are not in the room. */
export function absent(consultation: Consultation): Consultation['people'] {
  const here = new Set(consultation.present.map(p => p.identity.split(':')[0]))
  return consultation.people.filter(person => !here.has(person.id))
}
