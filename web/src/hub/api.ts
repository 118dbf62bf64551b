import type { CameraPage } from './cameraTypes'
import type { Http } from './http'
import type {
  Consultation,
  ConsultationStats,
  Joining,
  Label,
  Organisation,
  Page,
  Person,
  Recording,
  RecordingDetail,
  Session,
} from './types'

const id = encodeURIComponent

export interface NewConsultation {
  title: string
  label: Label
  organisations: string[]
  people: string[]
  record: boolean
}

export type MuteSource = 'microphone' | 'camera' | 'screen_share' | 'screen_share_audio'

/** The calls of `/api/v1` that the pages make. Every one rejects with `HubError`. */
export function makeApi(http: Http) {
  const get = <T>(path: string, query?: Record<string, string | undefined>) =>
    http.request<T>('GET', path, query ? { query } : {})
  const consultation = (key: string) => `/consultations/${id(key)}`
  return {
    session: () => get<Session>('/session'),
    signIn: (account: string, password: string) =>
      http.request<Session>('POST', '/session', { body: { account, password } }),
    signOut: () => http.request<void>('DELETE', '/session'),

    organisations: () => get<Page<Organisation>>('/organisations'),
    people: (q: string) => get<Page<Person>>('/people', { q }),
    cameras: (q: string) => get<CameraPage>('/cameras', { q }),

    consultations: (state: Consultation['state'], q = '', cursor?: string) =>
      get<Page<Consultation>>('/consultations', { state, q, cursor }),
    consultation: (key: string) => get<Consultation>(consultation(key)),
    create: (body: NewConsultation) => http.request<Consultation>('POST', '/consultations', { body, once: true }),
    lock: (key: string, rev: number, locked: boolean) =>
      http.request<Consultation>('PATCH', consultation(key), { body: { locked }, ifMatch: rev }),
    invite: (key: string, organisations: string[], people: string[]) =>
      http.request<Consultation>('POST', `${consultation(key)}/invitations`, {
        body: { organisations, people },
        once: true,
      }),
    join: (key: string, terminal: string) =>
      http.request<Joining>('POST', `${consultation(key)}/join`, { body: { terminal } }),
    end: (key: string) => http.request<void>('POST', `${consultation(key)}/end`),
    remove: (key: string, identity: string) =>
      http.request<void>('DELETE', `${consultation(key)}/participants/${id(identity)}`),
    mute: (key: string, identity: string, source: MuteSource) =>
      http.request<void>('POST', `${consultation(key)}/participants/${id(identity)}/mute`, { body: { source } }),
    addCamera: (key: string, camera: string) =>
      http.request<Consultation>('POST', `${consultation(key)}/cameras`, { body: { camera_id: camera }, once: true }),
    removeCamera: (key: string, camera: string) =>
      http.request<void>('DELETE', `${consultation(key)}/cameras/${id(camera)}`),
    record: (key: string, action: 'start' | 'stop' | 'pause' | 'resume') =>
      http.request<Consultation>('POST', `${consultation(key)}/recording`, { body: { action } }),

    stats: (key: string) => get<ConsultationStats>(`${consultation(key)}/stats`),

    recordings: (q: string, cursor?: string) => get<Page<Recording>>('/recordings', { q, cursor }),
    /** `since` (ms): only what was not over by then. */
    recording: (key: string, since = 0) =>
      get<RecordingDetail>(`/recordings/${id(key)}`, { since_ms: since ? String(since) : undefined }),
  }
}

export type Api = ReturnType<typeof makeApi>
