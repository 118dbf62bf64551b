import type { Alarm } from '../hub/cameraTypes'

/** Alarms that pop up: the newest is the one with the picture, a few are kept in sight. */

export const kept = 20

/** The gravest open alarm of each camera, the newest of those. */
export function gravest(alarms: readonly Alarm[]): Map<string, Alarm> {
  const found = new Map<string, Alarm>()
  for (const alarm of alarms) {
    if (!alarm.camera || alarm.state !== 'new') continue
    const old = found.get(alarm.camera.id)
    if (!old || alarm.level < old.level || (alarm.level === old.level && alarm.at > old.at))
      found.set(alarm.camera.id, alarm)
  }
  return found
}

/** Takes in what an event said: a new one is put first, one that is known is changed, one that is confirmed goes. */
export function withAlarm(all: readonly Alarm[], alarm: Alarm): Alarm[] {
  if (alarm.state !== 'new') return all.filter(one => one.id !== alarm.id)
  if (all.some(one => one.id === alarm.id)) return all.map(one => (one.id === alarm.id ? alarm : one))
  return [alarm, ...all].slice(0, kept)
}

/** An event's alarm, when it is one. */
export function readAlarm(data: unknown): Alarm | undefined {
  if (typeof data !== 'object' || data === null || !('alarm' in data)) return undefined
  const { alarm } = data as { alarm: unknown }
  if (typeof alarm !== 'object' || alarm === null) return undefined
  const { id, level, state, at } = alarm as Partial<Alarm>
  const good = typeof id === 'string' && typeof at === 'string' && [1, 2, 3, 4].includes(Number(level))
  return good && (state === 'new' || state === 'confirmed') ? (alarm as Alarm) : undefined
}
