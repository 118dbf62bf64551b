import type { RecordedEvent } from '../hub/types'
import type { Key, Translate } from '../i18n'
import { plainType } from './lanes.model'

const said: Record<string, Key> = {
  joined: 'event.joined',
  left: 'event.left',
  muted: 'event.muted',
  unmuted: 'event.unmuted',
  camera_added: 'event.camera_added',
  camera_removed: 'event.camera_removed',
  'camera.state': 'event.camera_state',
  recording_started: 'event.recording_started',
  recording_stopped: 'event.recording_stopped',
  recording_failed: 'event.recording_failed',
  continued: 'event.continued',
  recovered: 'event.recovered',
  worker_lost: 'event.worker_lost',
  locked: 'event.locked',
  changed: 'event.changed',
  invited: 'event.invited',
  created: 'event.created',
  ended: 'event.ended',
}

/** What a recorded event is called in a sentence. */
export function eventText(event: RecordedEvent, t: Translate): string {
  if (event.type === 'chat') return event.text ?? ''
  const key = said[plainType(event)]
  const data = record(event.data)
  const camera = record(data.camera)
  const name = text(camera.name) || text(data.name) || event.name || ''
  if (key === 'event.recording_stopped' && data.reason === 'empty') return t('event.recording_empty')
  if (key === 'event.camera_state') return t(key, { name, state: cameraState(text(camera.state), t) })
  if (key) return t(key, { name }).trim()
  return [event.type, event.name, event.text].filter(Boolean).join(' ')
}

function cameraState(state: string, t: Translate): string {
  return state === 'idle' || state === 'connecting' || state === 'live' || state === 'failed'
    ? t(`picker.${state}`)
    : state
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
