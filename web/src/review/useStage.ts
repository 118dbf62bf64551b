import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import type { RecordingDetail } from '../hub/types'
import type { PlayerEngine } from './engine'
import type { SpeakerLane } from './lanes.model'
import { type Hearing, hears } from './sound.model'
import { type Staged, type Staging, speakerAt, staged, stagings } from './stagings.model'
import { defaultMain, type PlayerTile } from './tracks.model'
import { useView } from './useView'
import type { PlayerView } from './view.model'

const kept = 'commhub.review.layout'
const keptWords = 'commhub.review.words'

/** How pictures stand now, and who said so. */
export interface Stage {
  now: Staged
  staging: Staging
  picked: ReadonlySet<string>
  /** What is written stands over the picture. */
  words: boolean
  setWords(on: boolean): void
  set(staging: Staging): void
  next(): void
  choose(track: string): void
  pick(track: string): void
}

export function useStage(engine: PlayerEngine, tiles: PlayerTile[], lanes: SpeakerLane[]): Stage {
  const [staging, setStaging] = useState<Staging>(() => {
    const before = localStorage.getItem(kept)
    return stagings.find(one => one === before && one !== 'picked') ?? 'main'
  })
  const [main, setMain] = useState<string>()
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set())
  const [words, setWords] = useState(() => localStorage.getItem(keptWords) !== 'off')
  const last = useRef<{ key: string; now: Staged }>(undefined)
  const now = useView(
    engine,
    useCallback(
      (view: PlayerView) => {
        const wishes = { staging, main: main ?? defaultMain(tiles)?.track.id, picked }
        const speaker = staging === 'speaker' ? speakerAt(lanes, view.position) : undefined
        const next = staged(tiles, wishes, view.position, speaker)
        const key = `${next.large} ${next.more} ${next.tiles.map(tile => tile.track.id).join()}`
        if (last.current?.key !== key || last.current.now.tiles.some(tile => !next.tiles.includes(tile)))
          last.current = { key, now: next }
        return last.current.now
      },
      [staging, main, picked, tiles, lanes],
    ),
  )
  const set = (wanted: Staging) => {
    localStorage.setItem(kept, wanted)
    setStaging(wanted)
  }
  const choose = useCallback((track: string) => {
    setMain(track)
    setStaging('main')
  }, [])
  return {
    now,
    staging,
    picked,
    words,
    setWords: on => {
      localStorage.setItem(keptWords, on ? 'on' : 'off')
      setWords(on)
    },
    set,
    choose,
    next: () => set(stagings[(stagings.indexOf(staging) + 1) % (stagings.length - 1)] ?? 'main'),
    pick: track =>
      setPicked(before => {
        const chosen = new Set(before)
        if (!chosen.delete(track)) chosen.add(track)
        return chosen
      }),
  }
}

/** What is not shown or not heard is not even fetched. */
export function useLeftOut(
  engine: PlayerEngine,
  recording: RecordingDetail,
  now: Staged,
  sound: Hearing,
): ReadonlySet<string> {
  const leftOut = useMemo(() => {
    const shown = new Set(now.tiles.map(tile => tile.track.id))
    const needless = recording.tracks.filter(track =>
      track.kind === 'audio' ? !hears(sound, track.identity) : !shown.has(track.id),
    )
    return new Set(needless.map(track => track.id))
  }, [recording, now, sound])
  useEffect(() => engine.leaveOut(leftOut), [engine, leftOut])
  return leftOut
}

export function withSounds(recording: RecordingDetail, leftOut: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...leftOut, ...recording.tracks.filter(track => track.kind === 'audio').map(track => track.id)])
}
