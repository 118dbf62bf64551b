import type { Alarm, DeviceRecording, Standing } from '../hub/cameraTypes'

/** One day of a device's recordings on a strip from 0 to 24 h. Times in ms since the epoch, places as shares 0 … 1. */

export interface Day {
  start: number
  end: number
}

/** The local day of a moment; 23 or 25 hours long when the clock is changed. */
export function dayOf(ms: number, by = 0): Day {
  const date = new Date(ms)
  const at = (offset: number) => new Date(date.getFullYear(), date.getMonth(), date.getDate() + by + offset).getTime()
  return { start: at(0), end: at(1) }
}

export function share(day: Day, ms: number): number {
  return Math.max(0, Math.min(1, (ms - day.start) / (day.end - day.start)))
}

export function momentAt(day: Day, part: number): number {
  return day.start + Math.max(0, Math.min(1, part)) * (day.end - day.start)
}

export type RecordingKind = DeviceRecording['kind']

/** Why devices record: by their plan, for an alarm, because somebody wished it (GB/T 28181 A.2.4.7 `Type`). */
export const recordingKinds: readonly RecordingKind[] = ['time', 'alarm', 'manual']

export function ofKind(recordings: readonly DeviceRecording[], kind: RecordingKind | undefined) {
  return kind === undefined ? recordings : recordings.filter(one => one.kind === kind)
}

export interface Piece {
  from: number
  to: number
  kind: RecordingKind
}

/** The recordings of the day as pieces of the strip. Those that touch (a file ends where the next begins) are one piece. */
export function pieces(day: Day, recordings: readonly DeviceRecording[], joint = 2000): Piece[] {
  const inside = recordings
    .map(one => ({ from: Date.parse(one.start), to: Date.parse(one.end), kind: one.kind }))
    .filter(one => one.to > day.start && one.from < day.end && one.to > one.from)
    .sort((a, b) => a.from - b.from)
  const merged: Piece[] = []
  for (const one of inside) {
    const last = merged.at(-1)
    if (last && last.kind === one.kind && one.from - last.to <= joint) last.to = Math.max(last.to, one.to)
    else merged.push({ ...one })
  }
  return merged.map(one => ({ ...one, from: share(day, one.from), to: share(day, one.to) }))
}

export function marks(day: Day, alarms: readonly Alarm[]): { alarm: Alarm; at: number }[] {
  return alarms.flatMap(alarm => {
    const at = Date.parse(alarm.at)
    return at >= day.start && at < day.end ? [{ alarm, at: share(day, at) }] : []
  })
}

/** What can be played from `at`: to the end of the recording it lies in, or from the next one; undefined when nothing follows. */
export function playable(
  recordings: readonly DeviceRecording[],
  at: number,
  until: number,
): { from: number; to: number } | undefined {
  const sorted = recordings
    .map(one => ({ from: Date.parse(one.start), to: Date.parse(one.end) }))
    .sort((a, b) => a.from - b.from)
  const first = sorted.find(one => one.to > at)
  if (!first || first.from >= until) return undefined
  return { from: Math.max(first.from, at), to: until }
}

export const speeds = [0.25, 0.5, 1, 2, 4, 8] as const

export function nextSpeed(speed: number, by: 1 | -1): number {
  const at = speeds.findIndex(one => one >= speed)
  return speeds[Math.max(0, Math.min(speeds.length - 1, (at < 0 ? 2 : at) + by))] ?? 1
}

/** Where a playback stands: it runs from `at` (recording time) since `since` (our clock). */
export interface Head {
  at: number
  since: number
  speed: number
  playing: boolean
}

export function headAt(head: Head, now: number): number {
  return head.playing ? head.at + (now - head.since) * head.speed : head.at
}

/** Where the hub says that it stands: `from` is the beginning of what was asked for. */
export function headOf(from: number, standing: Standing): Head {
  const { at, as_of, speed, playing } = standing
  return { at: from + at * 1000, since: Date.parse(as_of), speed, playing }
}

/** The head after an act at `now`; what is not changed goes on from where it stands. */
export function turned(head: Head, now: number, change: Partial<Pick<Head, 'at' | 'speed' | 'playing'>>): Head {
  return { ...head, at: headAt(head, now), since: now, ...change }
}
