import { ArrowLeft } from 'lucide-react'
import { type RefObject, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { navigate } from '../app/router'
import type { RecordingDetail } from '../hub/types'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { type Handlers, useKeys } from '../ui/keys'
import { dateTime, longDuration, shortTime } from '../ui/time.model'
import { Compare } from './Compare'
import { Controls, LayoutMenu } from './Controls'
import { nextRate } from './clock.model'
import { PlayerEngine, type PlayerView } from './engine'
import { useFacts, useMarks } from './facts'
import { headPieces } from './headPieces'
import { jumpEvent, markItem, type SpeakerLane, speakerLanes } from './lanes.model'
import { Media } from './Media'
import { Mixer } from './Mixer'
import { Pictures } from './Pictures'
import { RecordingState } from './RecordingList'
import { SideList, type SideListHandle } from './SideList'
import { everybody, type Hearing, hears, mute, solo, volumeOf } from './sound.model'
import { type Staged, type Staging, speakerAt, staged, stagings } from './stagings.model'
import { type Range, Timeline } from './Timeline'
import { defaultMain, type PlayerTile, playable, playerTiles } from './tracks.model'
import { attemptOf, bufferingOf, followingOf, partsOf, playingOf, settledOf, useView } from './useView'

const zooms = 256
/** Two moments begin so far apart when nobody has been elsewhere before. */
const apart = -30_000

export function Player({ recording: all }: { recording: RecordingDetail }) {
  const recording = useMemo(() => ({ ...all, tracks: all.tracks.map(playable) }), [all])
  const engine = useEngine(recording)
  const tiles = useMemo(() => playerTiles(recording.tracks), [recording])
  const facts = useFacts(recording)
  const desk = useMarks(recording.id, facts.lanes?.marks_rev ?? 0)
  const lanes = useMemo(() => lanesOf(recording, engine.duration), [recording, engine])
  const [sound, setSound] = useState<Hearing>(everybody)
  const stage = useStage(engine, tiles, lanes)
  const [range, setRange] = useState<Partial<Range>>({})
  const [zoom, setZoom] = useState(1)
  const [second, setSecond] = useState<number>()
  const root = useRef<HTMLDivElement>(null)
  const side = useRef<SideListHandle>(null)
  const items = useMemo(() => {
    const known = (facts.lanes?.items ?? []).filter(item => item.lane !== 'mark')
    return [...known, ...desk.marks.map(markItem)].sort((a, b) => a.at_ms - b.at_ms)
  }, [facts.lanes, desk.marks])
  const kinds = useKinds(facts.lanes?.lanes, desk.marks.length)
  const leftOut = useLeftOut(engine, recording, stage.now, sound)
  const silent = useMemo(() => withSounds(recording, leftOut), [recording, leftOut])

  const jump = (step: -1 | 1) => {
    const at = engine.snapshot().position
    const event = jumpEvent(items, at, step)
    engine.seek(event ? event.at_ms : step > 0 ? engine.duration : 0)
  }
  const markHere = useMarking(engine, desk.add, side)
  const compare = () => setSecond(now => (now === undefined ? (engine.cameFrom ?? apart) : undefined))
  const zoomBy = useCallback(
    (step: -1 | 1) => setZoom(now => Math.min(zooms, Math.max(1, step > 0 ? now * 2 : now / 2))),
    [],
  )
  const chosen = range.start !== undefined && range.end !== undefined && range.end > range.start
  const handlers: Handlers = {
    ...transport(engine),
    frameBack: () => engine.stepFrame(-1, stage.now.large),
    frameForward: () => engine.stepFrame(1, stage.now.large),
    eventBack: () => jump(-1),
    eventForward: () => jump(1),
    nextHit: () => side.current?.hit(1),
    previousHit: () => side.current?.hit(-1),
    playerSearch: () => side.current?.search(),
    mark: () => void markHere(),
    comment: () => side.current?.comment(),
    compare,
    playerLayout: stage.next,
    rangeStart: () => setRange(now => ({ ...now, start: engine.snapshot().position })),
    rangeEnd: () => setRange(now => ({ ...now, end: engine.snapshot().position })),
    rangeClear: () => setRange({}),
    axisIn: () => zoomBy(1),
    axisOut: () => zoomBy(-1),
    soundOff: () => setSound(now => ({ ...now, off: !now.off })),
    fullScreen: () => fullScreen(root),
  }
  for (const [i, lane] of lanes.slice(0, 9).entries()) {
    const n = (i + 1) as 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9
    handlers[`solo${n}`] = () => setSound(now => solo(now, lane.identity))
    handlers[`muteTrack${n}`] = () => setSound(now => mute(now, lane.identity))
  }
  useKeys('player', handlers)
  const t = useT()

  return (
    <PlayerFrame engine={engine} rootRef={root} comparing={second !== undefined}>
      <Head recording={recording} engine={engine} range={chosen ? (range as Range) : undefined} />
      <div className="player-left">
        <div className={second === undefined ? 'stages' : 'stages two'}>
          <Pictures
            recording={recording}
            staged={stage.now}
            onMain={stage.choose}
            engine={engine}
            lanes={lanes}
            label={t('room.stage')}
          />
          {second !== undefined && (
            <Compare
              recording={recording}
              leader={engine}
              offset={second}
              staged={stage.now}
              leftOut={silent}
              lanes={lanes}
              onMain={stage.choose}
              onClose={() => setSecond(undefined)}
            />
          )}
        </div>
        <Sounds engine={engine} sound={sound} />
        <Controls
          recording={recording}
          engine={engine}
          comparing={second !== undefined}
          onJump={jump}
          onMark={() => void markHere()}
          onCompare={compare}
          onFullScreen={() => fullScreen(root)}
          layout={
            <LayoutMenu
              staging={stage.staging}
              onStaging={stage.set}
              tiles={tiles}
              picked={stage.picked}
              onPick={stage.pick}
            />
          }
          mixer={<Mixer sound={sound} onSound={setSound} lanes={lanes} />}
        />
        {recording.tracks.length === 0 && (
          <p className="note player-note">
            {t(recording.state === 'recording' ? 'review.noMediaYet' : 'review.noMedia')}
          </p>
        )}
        <Timeline
          recording={recording}
          engine={engine}
          lanes={lanes}
          eventKinds={kinds}
          items={items}
          sound={sound}
          picture={stage.now.large ?? stage.now.tiles.find(tile => tile.track.kind === 'video')?.track.id}
          range={chosen ? (range as Range) : undefined}
          zoom={zoom}
          onZoom={zoomBy}
          onMute={identity => setSound(now => mute(now, identity))}
        />
      </div>
      <SideList ref={side} recording={recording} engine={engine} facts={facts} desk={desk} />
    </PlayerFrame>
  )
}

interface FrameProps {
  engine: PlayerEngine
  rootRef: RefObject<HTMLDivElement | null>
  comparing: boolean
  children: React.ReactNode
}

/** The page; what tests and scripts ask of its state stands on it. */
function PlayerFrame({ engine, rootRef, comparing, children }: FrameProps) {
  const playing = useView(engine, playingOf)
  const buffering = useView(engine, bufferingOf)
  const settled = useView(engine, settledOf)
  const following = useView(engine, followingOf)
  return (
    <div
      className={comparing ? 'player comparing' : 'player'}
      ref={rootRef}
      data-testid="player"
      data-playing={playing}
      data-buffering={buffering}
      data-settled={settled}
      data-following={following}
    >
      {children}
    </div>
  )
}

/** One engine for the page; what the recording becomes meanwhile is told to it. The address may name a moment. */
function useEngine(recording: RecordingDetail): PlayerEngine {
  const [engine] = useState(() => new PlayerEngine(recording))
  useEffect(() => {
    const stop = engine.start()
    const at = Number(new URLSearchParams(location.search).get('at') ?? Number.NaN)
    if (at >= 0) engine.seek(at)
    else if (engine.live) engine.follow()
    return stop
  }, [engine])
  useEffect(() => engine.update(recording), [engine, recording])
  return engine
}

const kept = 'commhub.review.layout'

interface Stage {
  now: Staged
  staging: Staging
  picked: ReadonlySet<string>
  set(staging: Staging): void
  next(): void
  choose(track: string): void
  pick(track: string): void
}

function useStage(engine: PlayerEngine, tiles: PlayerTile[], lanes: SpeakerLane[]): Stage {
  const [staging, setStaging] = useState<Staging>(() => {
    const before = localStorage.getItem(kept)
    return stagings.find(one => one === before && one !== 'picked') ?? 'main'
  })
  const [main, setMain] = useState<string>()
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set())
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
function useLeftOut(
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

function withSounds(recording: RecordingDetail, leftOut: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...leftOut, ...recording.tracks.filter(track => track.kind === 'audio').map(track => track.id)])
}

type Add = ReturnType<typeof useMarks>['add']

/** A mark at this very moment; its title can be written at leisure. */
function useMarking(engine: PlayerEngine, add: Add, side: RefObject<SideListHandle | null>): () => Promise<void> {
  const t = useT()
  return async () => {
    const at = Math.round(engine.snapshot().position)
    const id = await add({ kind: 'mark', at_ms: at, title: t('player.markAt', { time: longDuration(at) }), text: '' })
    if (id) side.current?.mark(id)
  }
}

/** Marks have their lane, also before the hub has counted one. */
function useKinds(lanes: { id: string; title: string; icon: string }[] | undefined, marks: number) {
  const t = useT()
  return useMemo(() => {
    const known = lanes ?? []
    if (marks === 0 || known.some(lane => lane.id === 'mark')) return known
    return [...known, { id: 'mark', title: t('player.tab.mark'), icon: 'bookmark' }]
  }, [lanes, marks, t])
}

function transport(engine: PlayerEngine): Handlers {
  return {
    play: () => engine.toggle(),
    back5: () => engine.step(-5000),
    forward5: () => engine.step(5000),
    back10: () => engine.step(-10_000),
    forward10: () => engine.step(10_000),
    slower: () => engine.setRate(nextRate(engine.snapshot().rate, -1)),
    faster: () => engine.setRate(nextRate(engine.snapshot().rate, 1)),
    start: () => engine.seek(0),
    end: () => (engine.live ? engine.follow() : engine.seek(engine.duration)),
    goLive: () => engine.follow(),
  }
}

function fullScreen(root: RefObject<HTMLDivElement | null>): void {
  if (document.fullscreenElement) void document.exitFullscreen()
  else
    void root.current
      ?.querySelector('.stages')
      ?.requestFullscreen?.()
      .catch(() => undefined)
}

function Sounds({ engine, sound }: { engine: PlayerEngine; sound: Hearing }) {
  const parts = useView(engine, partsOf)
  const attempt = useView(engine, attemptOf)
  return (
    <div className="sounds">
      {parts
        .filter(part => part.track.kind === 'audio')
        .map(part => (
          <Media
            key={`${part.key} ${attempt}`}
            engine={engine}
            part={part}
            muted={!hears(sound, part.track.identity)}
            volume={volumeOf(sound, part.track.identity)}
            shown={false}
          />
        ))}
    </div>
  )
}

/** Everybody who was heard has a lane, also who never spoke up. */
function lanesOf(recording: RecordingDetail, duration: number): SpeakerLane[] {
  const lanes = speakerLanes(recording.speakers, duration)
  const known = new Set(lanes.map(lane => lane.identity))
  const silent = recording.tracks.filter(track => {
    const fresh = track.kind === 'audio' && !known.has(track.identity)
    known.add(track.identity)
    return fresh
  })
  return [...lanes, ...silent.map(({ identity, name, org_name }) => ({ identity, name, org: org_name, spans: [] }))]
}

function Head({
  recording,
  engine,
  range,
}: {
  recording: RecordingDetail
  engine: PlayerEngine
  range: Range | undefined
}) {
  const t = useT()
  const began = Date.parse(recording.started_at)
  const end = recording.ended_at ? shortTime(Date.parse(recording.ended_at)) : ''
  const parties = new Set(recording.tracks.map(track => track.identity)).size
  return (
    <header className="player-head">
      <Button
        look="ghost"
        size="small"
        square
        icon={<ArrowLeft size={18} />}
        aria-label={t('review.backToList')}
        onClick={() => navigate('/review')}
      />
      <h1 className="cut">{recording.title}</h1>
      <span className="note cut">
        {dateTime(began)}
        {end && ` – ${end}`} · {t('review.parties', { count: parties })} ·{' '}
        {t('review.tracks', { count: recording.tracks.length || recording.track_count })} · {recording.code}
      </span>
      <span className="grow" />
      {headPieces.map(Piece => (
        <Piece
          key={Piece.displayName ?? Piece.name}
          recording={recording}
          position={() => engine.snapshot().position}
          range={range}
          seek={at => engine.seek(at)}
        />
      ))}
      <RecordingState recording={recording} />
      <span className="chip">{t(`label.${recording.label}`)}</span>
    </header>
  )
}
