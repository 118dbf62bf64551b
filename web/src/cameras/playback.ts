import { useQuery } from '@tanstack/react-query'
import { useCallback, useEffect, useRef, useState } from 'react'
import { useCommand } from '../app/command'
import { hub, useHub } from '../app/hub'
import type { CameraDetail, DeviceRecording, Playback, PlaybackNews } from '../hub/cameraTypes'
import type { Reason } from '../hub/types'
import { t } from '../i18n'
import { say } from '../ui/overlay'
import type { ViewConnection } from './connection'
import { type Day, type Head, headAt, headOf, playable, turned } from './day.model'

export interface Replaying {
  camera: string
  playback: Playback
  /** What was asked of the device, ms. */
  from: number
  to: number
  /** Where it stands. Acts move it at once, the hub's word puts it right. */
  head: Head
  /** It was told to stand still. */
  paused: boolean
  /** The recording has been played to its end. */
  over: boolean
  /** Why it shows nothing. */
  reason: Reason | null
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
  const lost = useCallback(() => {
    setReplaying(undefined)
    say(t('day.lost'), true)
  }, [])
  useNews(current, setReplaying, lost)
  useStillThere(replaying?.playback.id, connection?.terminal, lost)
  const steer = (change: Partial<Pick<Head, 'at' | 'speed' | 'playing'>>, act: () => Promise<unknown>) => {
    const old = current.current
    if (!old) return
    void run(async () => {
      await act()
      setReplaying(now => {
        if (now?.playback.id !== old.playback.id) return now
        // What the hub has said meanwhile is newer.
        const head = now.head === old.head ? turned(old.head, hub.now(), change) : now.head
        return { ...now, head, over: false, paused: change.playing === false }
      })
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
      const head = { at: from, since: hub.now(), speed: 1, playing: false }
      setReplaying({ camera: camera.id, playback, from, to, head, paused: false, over: false, reason: null })
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
      const playing = old.paused || old.over
      steer(playing ? {} : { playing }, () => hub.cameras.steer(old.playback.id, playing ? 'play' : 'pause'))
    },
    speed(value) {
      const old = current.current
      if (old) steer({ speed: value }, () => hub.cameras.steer(old.playback.id, 'speed', value))
    },
    live() {
      end(current.current)
      setReplaying(undefined)
    },
    position: () => (replaying ? Math.min(replaying.to, headAt(replaying.head, hub.now())) : undefined),
  }
}

type Change = (act: (old: Replaying | undefined) => Replaying | undefined) => void

/** What the hub says of it: where it stands, that it is over, or why it shows nothing. */
function useNews(current: { readonly current: Replaying | undefined }, change: Change, lost: () => void): void {
  useEffect(
    () =>
      hub.onEvents(event => {
        const id = current.current?.playback.id
        if (event.type !== 'playback.state' || !id || event.subject !== id) return
        const news = (event.data as { playback: PlaybackNews }).playback
        // Somebody has taken it out.
        if (news.state === 'idle' && !news.reason) lost()
        else change(old => (old?.playback.id === id ? heard(old, news) : old))
      }),
    [current, change, lost],
  )
}

function heard(old: Replaying, { state, reason, position }: PlaybackNews): Replaying {
  const over = state === 'idle' && reason?.code === 'ended'
  return {
    ...old,
    over,
    reason: state === 'live' || over ? null : reason,
    head: position ? headOf(old.from, position) : old.head,
    paused: old.paused && !position?.playing,
  }
}

/** ms and times: a hub that starts again needs some seconds to find what its bridge has kept playing. */
const patience = 3000
const tries = 6

/** Asks after every interruption whether it still plays: a hub that has lost it can say nothing of it. */
function useStillThere(id: string | undefined, terminal: string | undefined, lost: () => void): void {
  const resyncs = useHub(state => state.resyncs)
  const link = useHub(state => state.link.state)
  const interrupted = useRef(false)
  useEffect(() => {
    if (link !== 'open') interrupted.current = true
    if (!id || !terminal || link !== 'open' || !(interrupted.current || resyncs)) return
    let timer: ReturnType<typeof setTimeout>
    const ask = async (left: number) => {
      const there = await hub.cameras.playbacks(terminal).then(
        answer => answer.items.some(one => one.id === id),
        () => false,
      )
      if (there) interrupted.current = false
      else if (left) timer = setTimeout(() => void ask(left - 1), patience)
      else lost()
    }
    void ask(tries)
    return () => clearTimeout(timer)
  }, [id, terminal, lost, resyncs, link])
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
