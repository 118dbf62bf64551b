import type {
  AdmittedDevice,
  Alarm,
  CameraDetail,
  CameraDiagnosis,
  CameraPage,
  CameraQuery,
  Device,
  DeviceRecording,
  Layout,
  Lock,
  Playback,
  PlaybackAct,
  Preset,
  Round,
  Snapshot,
  TreeNode,
  ViewItem,
  ViewRoom,
} from './cameraTypes'
import type { Http } from './http'
import type { Page } from './types'

const id = encodeURIComponent
const flag = (on: boolean | undefined) => (on ? 'true' : undefined)

/** The calls of `/api/v1` about cameras, alarms and devices. Every one rejects with `HubError`. */
export function makeCameraApi(http: Http) {
  const get = <T>(path: string, query?: Record<string, string | undefined>) =>
    http.request<T>('GET', path, query ? { query } : {})
  const send = <T>(method: string, path: string, body?: unknown) =>
    http.request<T>(method, path, body === undefined ? {} : { body })
  const make = <T>(path: string, body: unknown) => http.request<T>('POST', path, { body, once: true })
  const camera = (key: string) => `/cameras/${id(key)}`
  const device = (key: string) => `/devices/${id(key)}`
  return {
    find: ({ q, node, online, ptz, alarm, favourite, cursor, limit }: CameraQuery) =>
      get<CameraPage>('/cameras', {
        q,
        node,
        online: flag(online),
        ptz: flag(ptz),
        alarm: flag(alarm),
        favourite: flag(favourite),
        cursor,
        limit: limit === undefined ? undefined : String(limit),
      }),
    nodes: (parent: string, cursor?: string) => get<Page<TreeNode>>('/camera-tree', { parent, cursor }),
    one: (key: string) => get<CameraDetail>(camera(key)),
    favour: (key: string, on: boolean) => send<void>(on ? 'PUT' : 'DELETE', `${camera(key)}/favourite`),

    openView: (terminal: string) => send<ViewRoom>('POST', '/views', { terminal }),
    show: (terminal: string, cameras: string[]) =>
      send<{ items: ViewItem[] }>('PUT', `/views/${id(terminal)}`, { cameras }),
    closeView: (terminal: string) => send<void>('DELETE', `/views/${id(terminal)}`),

    diagnosis: (key: string) => get<CameraDiagnosis>(`${camera(key)}/diagnosis`),
    retry: (key: string) => send<void>('POST', `${camera(key)}/retry`),

    lock: (key: string) => send<Lock>('POST', `${camera(key)}/lock`),
    unlock: (key: string) => send<void>('DELETE', `${camera(key)}/lock`),
    presets: (key: string) => get<{ items: Preset[] }>(`${camera(key)}/presets`),
    control: (key: string, verb: string, values: Record<string, string> = {}) =>
      send<{ done: true }>('POST', `${camera(key)}/control`, { verb, values }),
    snapshot: (key: string) => send<Snapshot>('POST', `${camera(key)}/snapshots`),

    recordings: (key: string, from: string, to: string) =>
      get<{ items: DeviceRecording[]; complete: boolean }>(`${camera(key)}/recordings`, { from, to }),
    play: (key: string, from: string, to: string, where: { terminal: string } | { consultation_id: string }) =>
      send<Playback>('POST', '/playbacks', { camera_id: key, from, to, ...where }),
    playbacks: (terminal: string) => get<{ items: Playback[] }>('/playbacks', { terminal }),
    steer: (key: string, action: PlaybackAct, value?: number) =>
      send<void>('POST', `/playbacks/${id(key)}`, value === undefined ? { action } : { action, value }),
    endPlayback: (key: string) => send<void>('DELETE', `/playbacks/${id(key)}`),

    speak: (key: string, terminal: string) => send<void>('POST', `${camera(key)}/voice`, { terminal }),
    hush: (key: string) => send<void>('DELETE', `${camera(key)}/voice`),

    rounds: () => get<{ items: Round[] }>('/rounds'),
    makeRound: (round: Omit<Round, 'id'>) => make<Round>('/rounds', round),
    changeRound: (key: string, round: Partial<Omit<Round, 'id'>>) => send<Round>('PATCH', `/rounds/${id(key)}`, round),
    removeRound: (key: string) => send<void>('DELETE', `/rounds/${id(key)}`),
    layouts: () => get<{ items: Layout[] }>('/layouts'),
    saveLayouts: (items: Layout[]) => send<{ items: Layout[] }>('PUT', '/layouts', { items }),

    alarms: (state: 'open' | 'all', of?: string, cursor?: string) =>
      get<Page<Alarm>>('/alarms', { state, camera: of, cursor }),
    confirm: (key: string, note?: string) => send<Alarm>('POST', `/alarms/${id(key)}/confirm`, note ? { note } : {}),

    devices: (state: Device['state'] | '', q: string, cursor?: string) =>
      get<Page<Device>>('/devices', { state, q, cursor }),
    addDevice: (body: { code: string; name: string; org_id: string }) => make<AdmittedDevice>('/devices', body),
    admit: (key: string, body: { org_id: string; name?: string }) =>
      send<AdmittedDevice>('POST', `${device(key)}/admit`, body),
    refuse: (key: string) => send<Device>('POST', `${device(key)}/refuse`),
    refresh: (key: string) => send<void>('POST', `${device(key)}/catalogue`),
    removeDevice: (key: string) => send<void>('DELETE', device(key)),
  }
}

export type CameraApi = ReturnType<typeof makeCameraApi>
