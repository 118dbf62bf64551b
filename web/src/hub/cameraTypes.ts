import type { CameraState, Label, OrgRef, Reason, Time } from './types'

/** Cameras, the devices behind them, what they tell and what may be done to them. */

export type CameraMay = 'open' | 'move' | 'control' | 'playback' | 'download' | 'snapshot' | 'voice'

export interface Position {
  longitude: number
  latitude: number
}

export interface Camera {
  id: string
  name: string
  place: string | null
  org: { id: string; name: string; short: string }
  label: Label
  state: CameraState
  reason: Reason | null
  protocol: 'rtsp' | 'gb28181'
  online: boolean
  ptz: boolean
  /** It has a second, smaller stream. */
  sub: boolean
  node_id: string | null
  /** Names from the root down. */
  path: string[]
  position: Position | null
  /** An alarm of it is open. */
  alarm: boolean
  favourite: boolean
  /** Its device says that it does not work. */
  faulty: boolean
  /** What it sends now; null while nobody looks. */
  codec: string | null
  may: CameraMay[]
}

export interface Lock {
  camera_id: string
  holder: { id: string; name: string; org_name: string; level: number | null }
  since: Time
  until: Time
  mine: boolean
}

export interface CameraDetail extends Camera {
  viewers: { name: string; org_name: string; where: string }[]
  lock: Lock | null
}

export interface CameraPage {
  items: Camera[]
  next: string | null
  total: number
}

export type NodeKind = 'organisation' | 'platform' | 'region' | 'system' | 'group' | 'virtual' | 'device'

/** A place in the tree. `online` of `total` cameras below it; a `leaf` has no nodes under it, perhaps cameras. */
export interface TreeNode {
  id: string
  kind: NodeKind
  name: string
  parent_id: string | null
  online: number
  total: number
  leaf: boolean
}

export interface CameraQuery {
  q?: string
  node?: string
  online?: boolean
  ptz?: boolean
  alarm?: boolean
  favourite?: boolean
  cursor?: string
  limit?: number
}

/** The terminal's own room for cameras. */
export interface ViewRoom {
  url: string
  token: string
  room: string
  identity: string
}

export interface ViewItem {
  camera_id: string
  identity: string
  state: CameraState
  reason: Reason | null
}

export type StepState = 'done' | 'failed' | 'waiting' | 'skipped'

export interface CameraDiagnosis {
  camera_id: string
  at: Time
  code: string
  text: string
  advice: string
  steps: { name: string; state: StepState; text: string; seconds: number }[]
  attempts: {
    way: string
    port: number
    seconds: number
    packets: number
    code: string
    sender: string
    ssrc: number
  }[]
  neighbours: { id: string; name: string; state: CameraState; at: Time | null }[]
  last_success: Time | null
  owner: { org_name: string }
}

export interface Preset {
  number: number
  name: string
}

export interface Snapshot {
  id: string
  url: string
  sha256: string
  at: Time
  by: { id?: string; name: string; org_name?: string }
}

export interface DeviceRecording {
  start: Time
  end: Time
  kind: 'time' | 'alarm' | 'manual'
  size: number | null
}

/** At `as_of` a playback shows what lies `at` seconds after its start, and goes on at `speed` if it is `playing`. */
export interface Standing {
  at: number
  as_of: Time
  speed: number
  playing: boolean
}

export interface Playback {
  id: string
  identity: string
  camera_id: string
  start: Time
  end: Time
  state: CameraState
  /** Null before the first picture. */
  position: Standing | null
}

/** What `playback.state` says. */
export interface PlaybackNews {
  state: CameraState
  reason: Reason | null
  position: Standing | null
}

export type PlaybackAct = 'play' | 'pause' | 'seek' | 'speed'

export interface Round {
  id: string
  name: string
  cameras: string[]
  tiles: number
  dwell_seconds: number
}

export interface Layout {
  id: string
  name: string
  tiles: number
  /** A camera for each tile, null where it is empty. */
  cameras: (string | null)[]
}

export type AlarmLevel = 1 | 2 | 3 | 4

export interface Alarm {
  id: string
  camera: { id: string; name: string; org_name: string } | null
  device: { id: string; name: string }
  level: AlarmLevel
  kind: string
  text: string
  at: Time
  state: 'new' | 'confirmed'
  /** The same again shortly after. */
  repeats: number
  confirmed_by: { name: string } | null
  position: Position | null
}

export interface Catalogue {
  state: 'idle' | 'running' | 'complete' | 'incomplete'
  received: number
  total: number
  at: Time | null
}

export interface Device {
  id: string
  code: string
  name: string
  org: OrgRef | null
  label: Label
  state: 'quarantine' | 'admitted' | 'refused'
  online: boolean
  address: string
  transport: string
  version: string
  manufacturer: string
  model: string
  firmware: string
  channels: number
  channels_online: number
  heartbeat_seconds: number | null
  seen_at: Time | null
  reason: Reason | null
  way: '' | 'udp' | 'tcp-passive' | 'tcp-active'
  worked: string
  catalogue: Catalogue
}

/** `password` is said once and never again. */
export interface AdmittedDevice {
  device: Device
  password: string
}

/** How a camera is moved: -1 … 1 each, right, up, in, far, open; all 0 is stop. */
export interface Motion {
  pan: number
  tilt: number
  zoom: number
  focus: number
  iris: number
}

/** What the hub says to a word on `/events` that it does not obey. */
export interface Refused {
  type: 'refused'
  camera: string
  code: string
  text: string
  lock: Lock | null
}
