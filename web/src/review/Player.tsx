import { type RefObject, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import type { RecordingDetail } from '../hub/types'
import { useT } from '../i18n'
import { type Handlers, useKeys } from '../ui/keys'
import { longDuration } from '../ui/time.model'
import { Compare, type Flip, flipped } from './Compare'
import { Controls, LayoutMenu } from './Controls'
import { nextRate } from './clock.model'
import { PlayerEngine } from './engine'
import { useFacts, useMarks } from './facts'
import { jumpEvent, markItem, type SpeakerLane, speakerLanes } from './lanes.model'
import { Media } from './Media'
import { Mixer } from './Mixer'
import { Pictures } from './Pictures'
import { PlayerHead } from './PlayerHead'
import { SideList, type SideListHandle } from './SideList'
import { everybody, type Hearing, hears, mute, solo, volumeOf } from './sound.model'
import { type Range, Timeline } from './Timeline'
import { playable, playerTiles } from './tracks.model'
import { useLeftOut, useStage, withSounds } from './useStage'
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
  const [flip, setFlip] = useState<Flip>('')
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
  const compare = () => {
    setFlip('')
    setSecond(now => (now === undefined ? (engine.cameFrom ?? apart) : undefined))
  }
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
    ...(second !== undefined && { flip: () => setFlip(flipped), besideEach: () => setFlip('') }),
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
      <PlayerHead recording={recording} engine={engine} range={chosen ? (range as Range) : undefined} />
      <div className="player-left">
        <div className={second === undefined ? 'stages' : `stages two ${flip && `flip ${flip}`}`} data-flip={flip}>
          <Pictures
            recording={recording}
            staged={stage.now}
            onMain={stage.choose}
            engine={engine}
            lanes={lanes}
            label={t('room.stage')}
            items={stage.words ? items : undefined}
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
              flip={flip}
              onFlip={setFlip}
              onClose={compare}
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
              words={stage.words}
              onWords={stage.setWords}
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
