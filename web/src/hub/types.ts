/** Records of the REST interface `/api/v1` and of `/events`. Times are ISO 8601 UTC strings, durations milliseconds. */

import type { Keeping } from './keepingTypes'

export type Time = string

export interface OrgRef {
  id: string
  name: string
  short?: string
}

export interface Session {
  person: { id: string; name: string; account: string; post: string | null; level: number | null; org: OrgRef }
  roles: { role: string; org_id: string | null }[]
  permissions: string[]
  csrf: string
  city: { name: string; name_en: string } | null
  notice_version: string | null
}

export type OrgKind = 'city' | 'department' | 'district' | 'street' | 'headquarters' | 'external'

export interface Organisation {
  id: string
  name: string
  name_en: string | null
  short: string
  kind: OrgKind
  parent_id: string | null
  connectivity: 'none' | 'phone' | 'staffed' | 'video' | 'full'
}

export interface Person {
  id: string
  name: string
  post: string | null
  level: number | null
  org: { id: string; name: string; short: string }
  online: boolean
}

export type CameraState = 'idle' | 'connecting' | 'live' | 'failed'

/** Events have both languages, answers the one that was asked for. */
export interface Reason {
  code: string
  text: string
  text_en?: string | null
}

export type Label = 'public' | 'internal' | 'sensitive'
export type Kind = 'person' | 'camera'
export type May =
  | 'join'
  | 'lead'
  | 'chair'
  | 'lock'
  | 'remove'
  | 'mute'
  | 'record'
  | 'camera'
  | 'invite'
  | 'end'
  | 'diagnose'

export interface Present {
  identity: string
  name: string
  org_name: string
  kind: Kind
  joined_at: Time
}

/** A raised hand; level 1 is the highest rank. */
export interface Hand {
  person: string
  name: string
  org_name: string
  level: number
  at: Time
}

/** How a consultation is led; people by their ids. */
export interface Control {
  rev: number
  chair: string
  /** The co-chair who leads while the chair is not there. */
  acting: string
  co_chairs: string[]
  muted: boolean
  /** Whoever is muted may unmute himself. */
  unmute: boolean
  speakers: string[]
  order: 'rank' | 'time'
  hands: Hand[]
  lobby: 'off' | 'outside' | 'everybody'
  layout: '' | 'grid' | 'speaker'
  /** The identity of a participant. */
  spotlight: string
  broadcast: string
  ends_at: Time | null
  sides: { id: string; title: string; people: string[]; listen: boolean }[]
  allowed: string[]
}

/** Somebody at the door, as who chairs sees them. */
export interface Waiting {
  person: string
  name: string
  post: string
  org_name: string
  level: number
  since: Time
  returned: boolean
  /** Empty: of no organisation here. */
  org_id: string
}

export interface Consultation {
  id: string
  code: string
  title: string
  state: 'live' | 'ended'
  label: Label
  host: { id: string; name: string; org_name: string }
  locked: boolean
  control: Control
  recording: {
    state: 'off' | 'recording' | 'paused' | 'failed'
    since: Time | null
    reason: string | null
    reason_en: string | null
  }
  created_at: Time
  ended_at: Time | null
  rev: number
  organisations: OrgRef[]
  people: { id: string; name: string; org_name: string }[]
  present: Present[]
  cameras: { id: string; name: string; org_name: string; state: CameraState; identity: string }[]
  recordings: string[]
  /** Absent in events, which are the same for everybody. */
  may?: May[]
}

export type Fault = 'fine' | 'client' | 'network' | 'network_up' | 'network_down' | 'hub' | 'camera'

/** Where it hurts: a sentence, and what to do next ('' when nothing). */
export interface Verdict {
  fault: Fault
  grade: 'fine' | 'noticed' | 'bad'
  code: string
  text: string
  step: string
}

/** Rates in bit/s, losses 0 … 1, times in milliseconds. */
export interface ParticipantStats {
  identity: string
  name: string
  org_name: string
  kind: Kind | 'service'
  verdict: Verdict
  over: '' | 'udp' | 'tcp'
  rtt_ms: number
  bitrate_up: number
  bitrate_down: number
  loss_up: number
  loss_down: number
  up: {
    track: string
    kind: 'audio' | 'video'
    source: string
    muted: boolean
    bitrate: number
    width: number
    height: number
  }[]
  down: {
    track: string
    identity: string
    kind: 'audio' | 'video'
    layer: number | null
    wanted: number
    paused: boolean
    seen: boolean
  }[]
}

export interface ConsultationStats {
  at: Time
  seconds: number
  participants: ParticipantStats[]
}

export interface Joining {
  /** `waiting`: in the lobby, without a token. */
  state?: 'in' | 'waiting'
  url: string
  token: string
  room: string
  identity: string
  recording: Consultation['recording']
}

export type Source = 'microphone' | 'camera' | 'screen_share' | 'screen_share_audio' | 'camera_feed'

export interface Recording {
  id: string
  consultation_id: string
  title: string
  code: string
  label: Label
  started_at: Time
  ended_at: Time | null
  duration_ms: number | null
  state: 'recording' | 'complete' | 'repaired' | 'failed'
  reason: string | null
  track_count: number
  people: string[]
  org_name: string
  keeping?: Keeping
}

export interface Segment {
  url: string
  mime: string
  /** Its place on the session's clock, ms; where it is not `duration_ms` long, positions are in proportion. */
  start_ms: number
  end_ms: number
  duration_ms: number
  bytes: number
}

export interface RecordedTrack {
  id: string
  identity: string
  name: string
  org_name: string
  kind: 'audio' | 'video'
  source: Source
  codec: string
  segments: Segment[]
}

export interface RecordedEvent {
  at_ms: number
  type: string
  identity: string | null
  name: string | null
  text: string | null
  data: unknown
}

export interface RecordingDetail extends Recording {
  tracks: RecordedTrack[]
  speakers: { identity: string; name: string; org_name: string; spans: [number, number][] }[]
  events: RecordedEvent[]
  gaps: { track: string; start_ms: number; end_ms: number; reason: string | null }[]
  /** Who looks, by the hub. */
  watermark?: { name: string; post: string; org_name: string; at: Time }
}

export interface Page<T> {
  items: T[]
  next: string | null
}

/** RFC 9457. `detail` is a sentence for people in the language that was asked for. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  code: string
  errors?: unknown
}

export interface HubEvent {
  id: string
  seq: number
  type: string
  version: number
  at: Time
  actor: unknown
  org: unknown
  label: unknown
  subject: string | null
  rev: number | null
  data: unknown
}

export interface Invited {
  consultation: Consultation
  people: string[]
  by: { name: string; org_name: string }
}
