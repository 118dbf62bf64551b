import { useQuery } from '@tanstack/react-query'
import { useCallback, useEffect, useRef, useState } from 'react'
import { useCommand } from '../app/command'
import { hub } from '../app/hub'
import type { CameraDetail, DeviceRecording, Playback } from '../hub/cameraTypes'
import { t } from '../i18n'
import { say } from '../ui/overlay'
import type { ViewConnection } from './connection'
import { type Day, type Head, headAt, playable, turned } from './day.model'

export interface Replaying {
  camera: string
  playback: Playback
  /** What was asked of the device, ms. */
  from: number
  to: number
  head: Head
}

export interface Player {
  replaying: Replaying | undefined
  pending: boolean
  /** Plays from a moment on, of the day's recordings. */
  playFrom(camera: CameraDetail, recordings: readonly DeviceRecording[], at: number, until: number): void
  toggle(): void
  speed(value: number): void
  live(): void
  /** Where it stands, ms. */
  position(): number | undefined
}

/** One playback at a time, in the place of the live picture. */
export function usePlayer(connection: ViewConnection | undefined): Player {
  const [replaying, setReplaying] = useState<Replaying>()
  const [run, pending] = useCommand()
  const current = useRef(replaying)
  current.current = replaying
  const end = useCallback((old: Replaying | undefined) => {
    if (old) void hub.cameras.endPlayback(old.playback.id).catch(() => undefined)
  }, [])
  useEffect(() => () => end(current.current), [end])
  const steer = (change: Partial<Pick<Head, 'at' | 'speed' | 'playing'>>, act: () => Promise<unknown>) => {
    const old = current.current
    if (!old) return
    void run(async () => {
      await act()
      setReplaying(now => (now === old ? { ...old, head: turned(old.head, Date.now(), change) } : now))
    })
  }
  const open = (camera: CameraDetail, from: number, to: number) => {
    if (!connection) return
    const old = current.current
    void run(async () => {
      const where = { terminal: connection.terminal }
      const playback = await hub.cameras.play(
        camera.id,
        new Date(from).toISOString(),
        new Date(to).toISOString(),
        where,
      )
      end(old)
      const head = { at: from, since: Date.now(), speed: 1, playing: true }
      setReplaying({ camera: camera.id, playback, from, to, head })
    })
  }
  return {
    replaying,
    pending,
    playFrom(camera, recordings, at, until) {
      const span = playable(recordings, at, until)
      const old = current.current
      if (!span) say(t('day.nothingAfter'), true)
      else if (old?.camera === camera.id && span.from >= old.from && span.from < old.to)
        steer({ at: span.from }, () => hub.cameras.steer(old.playback.id, 'seek', (span.from - old.from) / 1000))
      else open(camera, span.from, span.to)
    },
    toggle() {
      const old = current.current
      if (!old) return
      const playing = !old.head.playing
      steer({ playing }, () => hub.cameras.steer(old.playback.id, playing ? 'play' : 'pause'))
    },
    speed(value) {
      const old = current.current
      if (old) steer({ speed: value }, () => hub.cameras.steer(old.playback.id, 'speed', value))
    },
    live() {
      end(current.current)
      setReplaying(undefined)
    },
    position: () => (replaying ? Math.min(replaying.to, headAt(replaying.head, Date.now())) : undefined),
  }
}

function mayReplay(camera: CameraDetail): boolean {
  return camera.protocol === 'gb28181' && camera.may.includes('playback')
}

/** What the device has recorded on a day. Devices take seconds to answer and are asked once. */
export function useRecordings(camera: CameraDetail | undefined, day: Day) {
  const query = useQuery({
    queryKey: ['device-recordings', camera?.id, day.start],
    queryFn: () =>
      hub.cameras.recordings(camera?.id ?? '', new Date(day.start).toISOString(), new Date(day.end).toISOString()),
    enabled: camera !== undefined && mayReplay(camera),
    staleTime: 60_000,
    retry: false,
  })
  return {
    items: query.data?.items ?? [],
    complete: query.data?.complete ?? true,
    loading: query.isFetching,
    error: query.error,
  }
}
