import { createStore } from 'zustand/vanilla'
import type { Link } from './events'
import type { PresenceState } from './terminal'
import type { CameraState, Consultation, HubEvent, Invited, Reason, Session } from './types'

export interface Ring {
  consultation: Consultation
  by: { name: string; org_name: string }
  /** Server time of the invitation. */
  at: number
  /** Put off until then; it rings when this has passed. */
  until: number | undefined
}

export interface CameraNews {
  state: CameraState
  reason: Reason | null
}

export interface HubState {
  /** Undefined while it is not known; null when nobody is signed in. */
  session: Session | null | undefined
  link: Link
  consultations: Record<string, Consultation>
  /** Live consultations were loaded at least once. */
  loaded: boolean
  cameras: Record<string, CameraNews>
  /** Of people whom a page watches; who is not named is offline. */
  presence: Record<string, PresenceState>
  rings: Ring[]
  /** Grows with every change of what recordings there are. */
  recordingsRev: number
  /** Grows with every resync: what was loaded before may be old. */
  resyncs: number
}

/** An invitation older than this is history, not a call. */
const freshFor = 60_000

export const initialState: HubState = {
  session: undefined,
  link: { state: 'connecting' },
  consultations: {},
  loaded: false,
  cameras: {},
  presence: {},
  rings: [],
  recordingsRev: 0,
  resyncs: 0,
}

export function createHubStore() {
  return createStore<HubState>(() => initialState)
}

export type HubStore = ReturnType<typeof createHubStore>

/**
 * Takes in one consultation, from an answer or an event. An older `rev` changes nothing. Events are the same for
 * everybody and have no `may`: what this person may do is kept from the last answer.
 */
export function withConsultation(all: Record<string, Consultation>, news: Consultation): Record<string, Consultation> {
  const old = all[news.id]
  if (old && old.rev > news.rev) return all
  const may = news.may ?? old?.may
  return { ...all, [news.id]: may ? { ...news, may } : news }
}

/**
 * What GET of the live ones answered: those that were `before` it was asked and are not in it have ended. One that
 * an event brought while the answer was on its way stays.
 */
export function withLive(
  all: Record<string, Consultation>,
  live: Consultation[],
  before: Set<string>,
): Record<string, Consultation> {
  const kept = Object.values(all).filter(c => c.state === 'ended' || !before.has(c.id) || live.some(l => l.id === c.id))
  const base = Object.fromEntries(kept.map(c => [c.id, c]))
  return live.reduce(withConsultation, base)
}

/** Newest first. */
export function liveList(all: Record<string, Consultation>): Consultation[] {
  return Object.values(all)
    .filter(c => c.state === 'live')
    .sort((a, b) => (a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : a.id < b.id ? 1 : -1))
}

export function isIn(consultation: Consultation, person: string): boolean {
  return consultation.present.some(p => p.identity.startsWith(`${person}:`))
}

/** `now` is server time in milliseconds. Returns the same state when the event says nothing to us. */
export function applyEvent(state: HubState, event: HubEvent, now: number): HubState {
  const data = isRecord(event.data) ? event.data : {}
  let next = state
  const consultation = readConsultation(data.consultation)
  if (consultation) next = { ...next, consultations: withConsultation(next.consultations, consultation) }
  if (event.type === 'consultation.invited' && consultation) {
    next = invited(next, event, { ...data, consultation } as unknown as Invited, now)
  } else if (event.type === 'camera.state') {
    next = cameraChanged(next, event.subject, data)
  } else if (event.type.startsWith('recording.')) {
    next = { ...next, recordingsRev: next.recordingsRev + 1 }
  }
  return settleRings(next)
}

function invited(state: HubState, event: HubEvent, data: Invited, now: number): HubState {
  const me = state.session?.person.id
  const at = Date.parse(event.at)
  if (!me || !Array.isArray(data.people) || !data.people.includes(me)) return state
  if (isIn(data.consultation, me) || now - at > freshFor) return state
  const rings = state.rings.filter(r => r.consultation.id !== data.consultation.id)
  return { ...state, rings: [...rings, { consultation: data.consultation, by: data.by, at, until: undefined }] }
}

function cameraChanged(state: HubState, subject: string | null, data: Record<string, unknown>): HubState {
  const inner = isRecord(data.camera) ? data.camera : data
  const id = typeof inner.id === 'string' ? inner.id : typeof data.camera_id === 'string' ? data.camera_id : subject
  const known = ['idle', 'connecting', 'live', 'failed']
  if (!id || typeof inner.state !== 'string' || !known.includes(inner.state)) return state
  const reason = isRecord(inner.reason) ? (inner.reason as unknown as Reason) : null
  return { ...state, cameras: { ...state.cameras, [id]: { state: inner.state as CameraState, reason } } }
}

/** An invitation is over when its consultation is, or when this person is in it (perhaps from another device). */
function settleRings(state: HubState): HubState {
  const me = state.session?.person.id
  const rings = state.rings.flatMap(ring => {
    const current = state.consultations[ring.consultation.id] ?? ring.consultation
    if (current.state === 'ended' || (me && isIn(current, me))) return []
    return [current === ring.consultation ? ring : { ...ring, consultation: current }]
  })
  const same = rings.length === state.rings.length && rings.every((r, i) => r === state.rings[i])
  return same ? state : { ...state, rings }
}

export function dropRing(state: HubState, consultation: string): HubState {
  return { ...state, rings: state.rings.filter(r => r.consultation.id !== consultation) }
}

/** Silent until `until` (server time, milliseconds). */
export function postponeRing(state: HubState, consultation: string, until: number): HubState {
  return { ...state, rings: state.rings.map(r => (r.consultation.id === consultation ? { ...r, until } : r)) }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readConsultation(value: unknown): Consultation | undefined {
  if (!isRecord(value) || typeof value.id !== 'string' || typeof value.rev !== 'number') return undefined
  return Array.isArray(value.present) ? (value as unknown as Consultation) : undefined
}
