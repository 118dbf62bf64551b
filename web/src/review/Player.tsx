import { ArrowLeft } from 'lucide-react'
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import { navigate } from '../app/router'
import type { RecordingDetail } from '../hub/types'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { type Handlers, useKeys } from '../ui/keys'
import { dateTime, shortTime } from '../ui/time.model'
import { Controls } from './Controls'
import { nextRate } from './clock.model'
import { PlayerEngine } from './engine'
import { headPieces } from './headPieces'
import { jumpEvent, type SpeakerLane, speakerLanes } from './lanes.model'
import { Media } from './Media'
import { Pictures } from './Pictures'
import { RecordingState } from './RecordingList'
import { SideList, type SideListHandle } from './SideList'
import { type Hearing, hears, mute, solo } from './sound.model'
import { Timeline } from './Timeline'
import { defaultMain, playable, playerTiles } from './tracks.model'

/** Events nobody needs to read: every track that opened or closed. */
const unread = new Set(['published', 'unpublished'])

export function Player({ recording: all }: { recording: RecordingDetail }) {
  const t = useT()
  const recording = useMemo(
    () => ({
      ...all,
      tracks: all.tracks.map(playable),
      events: all.events.filter(e => !unread.has(e.type)).sort((a, b) => a.at_ms - b.at_ms),
    }),
    [all],
  )
  const engine = useMemo(() => new PlayerEngine(recording), [recording])
  useEffect(() => engine.start(), [engine])
  const view = useSyncExternalStore(engine.subscribe, engine.snapshot)
  const tiles = useMemo(() => playerTiles(recording.tracks), [recording])
  const lanes = useMemo(() => lanesOf(recording, engine.duration), [recording, engine])
  const [main, setMain] = useState(() => defaultMain(tiles)?.track.id)
  const [sound, setSound] = useState<Hearing>({ off: false, solo: undefined, muted: new Set() })
  const root = useRef<HTMLDivElement>(null)
  const side = useRef<SideListHandle>(null)

  const fullScreen = () => {
    const stage = root.current?.querySelector('.pictures')
    if (document.fullscreenElement) void document.exitFullscreen()
    else void stage?.requestFullscreen?.().catch(() => undefined)
  }
  const jump = (step: -1 | 1) => {
    const event = jumpEvent(recording.events, view.position, step)
    engine.seek(event ? event.at_ms : step > 0 ? engine.duration : 0)
  }
  const handlers: Handlers = {
    play: () => engine.toggle(),
    back5: () => engine.step(-5000),
    forward5: () => engine.step(5000),
    back10: () => engine.step(-10_000),
    forward10: () => engine.step(10_000),
    frameBack: () => engine.stepFrame(-1, main),
    frameForward: () => engine.stepFrame(1, main),
    eventBack: () => jump(-1),
    eventForward: () => jump(1),
    slower: () => engine.setRate(nextRate(view.rate, -1)),
    faster: () => engine.setRate(nextRate(view.rate, 1)),
    start: () => engine.seek(0),
    end: () => engine.seek(engine.duration),
    nextHit: () => side.current?.hit(1),
    previousHit: () => side.current?.hit(-1),
    playerSearch: () => side.current?.search(),
    fullScreen,
  }
  for (const [i, lane] of lanes.slice(0, 9).entries()) {
    const n = (i + 1) as 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9
    handlers[`solo${n}`] = () => setSound(now => solo(now, lane.identity))
    handlers[`muteTrack${n}`] = () => setSound(now => mute(now, lane.identity))
  }
  useKeys('player', handlers)

  return (
    <div
      className="player"
      ref={root}
      data-testid="player"
      data-playing={view.playing}
      data-buffering={view.buffering}
      data-settled={view.settled}
    >
      <Head recording={recording} engine={engine} />
      <div className="player-left">
        <Pictures
          recording={recording}
          tiles={tiles}
          main={main}
          onMain={setMain}
          engine={engine}
          view={view}
          lanes={lanes}
        />
        <div className="sounds">
          {view.parts
            .filter(part => part.track.kind === 'audio')
            .map(part => (
              <Media
                key={part.key}
                engine={engine}
                part={part}
                muted={!hears(sound, part.track.identity)}
                shown={false}
              />
            ))}
        </div>
        <Controls
          recording={recording}
          engine={engine}
          view={view}
          soundOff={sound.off}
          onSound={() => setSound(now => ({ ...now, off: !now.off }))}
          onJump={jump}
          onFullScreen={fullScreen}
        />
        {recording.tracks.length === 0 && <p className="note player-note">{t('review.noMedia')}</p>}
        {recording.state === 'recording' && <p className="note player-note">{t('review.unfinished')}</p>}
        <Timeline
          recording={recording}
          engine={engine}
          position={view.position}
          lanes={lanes}
          sound={sound}
          onMute={identity => setSound(now => mute(now, identity))}
        />
      </div>
      <SideList ref={side} recording={recording} position={view.position} onSeek={at => engine.seek(at)} />
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

function Head({ recording, engine }: { recording: RecordingDetail; engine: PlayerEngine }) {
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
      <span className="note">
        {dateTime(began)}
        {end && ` – ${end}`} · {t('review.parties', { count: parties })} ·{' '}
        {t('review.tracks', { count: recording.track_count })} · {recording.code}
      </span>
      <span className="grow" />
      {headPieces.map(Piece => (
        <Piece
          key={Piece.displayName ?? Piece.name}
          recording={recording}
          position={() => engine.snapshot().position}
          range={undefined}
          seek={at => engine.seek(at)}
        />
      ))}
      <RecordingState recording={recording} />
      <span className="chip">{t(`label.${recording.label}`)}</span>
    </header>
  )
}
