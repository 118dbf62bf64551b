import { ChevronDown, ChevronRight, Volume2, VolumeX, Waves, ZoomIn, ZoomOut } from 'lucide-react'
import { type CSSProperties, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import type { RecordingDetail } from '../hub/types'
import { useT } from '../i18n'
import { useBox } from '../ui/box'
import { Avatar, Button } from '../ui/controls'
import { clockTime, shortTime } from '../ui/time.model'
import { Axis } from './Axis'
import type { PlayerEngine, PlayerView } from './engine'
import { laneIcon } from './icons'
import {
  type EventLane,
  eventLanes,
  itemText,
  rooms,
  type SpeakerLane,
  ticks,
  type Window,
  windowFor,
} from './lanes.model'
import type { Lane, LaneItem } from './shapes.model'
import { type Hearing, hears } from './sound.model'
import { durationOf, useView } from './useView'
import { Wave } from './Wave'

interface Props {
  recording: RecordingDetail
  engine: PlayerEngine
  lanes: SpeakerLane[]
  eventKinds: readonly Lane[]
  items: readonly LaneItem[]
  sound: Hearing
  /** Track whose pictures are shown over the axis. */
  picture: string | undefined
  range: Range | undefined
  zoom: number
  onZoom(step: -1 | 1): void
  onMute(identity: string): void
}

export interface Range {
  start: number
  end: number
}

/** A recording longer than this has its outlines of sound only when somebody asks. */
const wavesUntil = 3_600_000

/** Who spoke when and what happened, over the whole length or a part of it; a press anywhere goes there. */
export function Timeline(props: Props) {
  const { recording, engine, lanes, eventKinds, items, sound, picture, range, zoom, onZoom, onMute } = props
  const t = useT()
  const root = useRef<HTMLElement>(null)
  const length = useView(engine, durationOf)
  const window = useWindow(engine, zoom, length)
  const [measure, track] = useBox()
  const events = useMemo(() => eventLanes(eventKinds, items), [eventKinds, items])
  const gaps = useMemo(() => gapsByIdentity(recording), [recording])
  const sounds = useMemo(
    () => new Map(recording.tracks.filter(one => one.kind === 'audio').map(one => [one.identity, one.id])),
    [recording],
  )
  const [waves, setWaves] = useState(length <= wavesUntil)
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set())
  usePlayhead(root, engine, window)
  const fold = (id: string) =>
    setFolded(now => {
      const next = new Set(now)
      if (!next.delete(id)) next.add(id)
      return next
    })
  const share = useCallback((ms: number) => (ms - window.from) / (window.until - window.from), [window])
  const seek = (event: React.MouseEvent<HTMLElement>) => {
    const box = event.currentTarget.getBoundingClientRect()
    engine.seek(window.from + ((event.clientX - box.left) / box.width) * (window.until - window.from))
  }
  const marks = useMemo(
    () => ticks(Date.parse(recording.started_at), window).filter(mark => share(mark) < 0.96),
    [recording.started_at, window, share],
  )
  const words = window.until - window.from < 600_000 ? clockTime : shortTime
  return (
    <section
      className="timeline"
      aria-label={t('player.timeline')}
      ref={root}
      onWheel={event => {
        if (event.ctrlKey && event.deltaY) onZoom(event.deltaY < 0 ? 1 : -1)
      }}
    >
      <Axis
        recording={recording}
        engine={engine}
        window={window}
        picture={picture}
        range={range}
        marks={marks.map(mark => ({ at: share(mark), text: words(Date.parse(recording.started_at) + mark) }))}
        measure={measure}
      >
        <Button
          look="ghost"
          size="small"
          square
          icon={folded.has('people') ? <ChevronRight size={15} /> : <ChevronDown size={15} />}
          aria-label={t('player.foldPeople')}
          aria-expanded={!folded.has('people')}
          onClick={() => fold('people')}
        />
        <Button
          look="ghost"
          size="small"
          square
          icon={<Waves size={15} />}
          aria-label={t('player.waves')}
          title={t('player.waves')}
          aria-pressed={waves}
          onClick={() => setWaves(!waves)}
        />
        <span className="grow" />
        <Button
          look="ghost"
          size="small"
          square
          icon={<ZoomOut size={15} />}
          aria-label={t('player.zoomOut')}
          title={`${t('player.zoomOut')} −`}
          refused={zoom <= 1 && t('player.zoomedOut')}
          onClick={() => onZoom(-1)}
        />
        <Button
          look="ghost"
          size="small"
          square
          icon={<ZoomIn size={15} />}
          aria-label={t('player.zoomIn')}
          title={`${t('player.zoomIn')} +`}
          onClick={() => onZoom(1)}
        />
      </Axis>
      <div className="lanes">
        {!folded.has('people') &&
          lanes.map(lane => (
            <div className="lane" key={lane.identity} data-testid="speaker-lane" data-identity={lane.identity}>
              <LaneHead lane={lane} heard={hears(sound, lane.identity)} onMute={() => onMute(lane.identity)} />
              <div className="lane-track" onClick={seek}>
                {waves && (
                  <Wave
                    recording={recording}
                    track={sounds.get(lane.identity)}
                    window={window}
                    length={length}
                    width={Math.round(track.width)}
                  />
                )}
                <Gaps gaps={gaps.get(lane.identity) ?? none} share={share} />
                <Spans lane={lane} engine={engine} share={share} window={window} />
              </div>
            </div>
          ))}
        {events.map(lane => (
          <EventRow
            key={lane.id}
            lane={lane}
            folded={folded.has(lane.id)}
            onFold={() => fold(lane.id)}
            share={share}
            window={window}
            width={track.width}
            began={Date.parse(recording.started_at)}
            onSeek={seek}
            onJump={at => engine.seek(at)}
          />
        ))}
        <div className="playhead" aria-hidden />
      </div>
    </section>
  )
}

function useWindow(engine: PlayerEngine, zoom: number, length: number): Window {
  const kept = useRef<Window>({ from: 0, until: Math.max(1, length) })
  return useView(
    engine,
    useCallback(
      (view: PlayerView) => {
        const next = windowFor(kept.current, view.position, zoom, length)
        if (next.from !== kept.current.from || next.until !== kept.current.until) kept.current = next
        return kept.current
      },
      [zoom, length],
    ),
  )
}

/** Moves the line without drawing the lanes anew. */
function usePlayhead(root: { current: HTMLElement | null }, engine: PlayerEngine, window: Window): void {
  useEffect(() => {
    const move = () => {
      const at = (engine.snapshot().position - window.from) / (window.until - window.from)
      root.current?.style.setProperty('--at', String(Math.min(1, Math.max(0, at))))
    }
    move()
    return engine.subscribe(move)
  }, [root, engine, window])
}

function between(from: number, to: number): CSSProperties {
  const begin = Math.max(0, from)
  return { left: `${begin * 100}%`, width: `${(Math.min(1, to) - begin) * 100}%` }
}

const none: GapSpan[] = []

interface GapSpan {
  start: number
  end: number
  off: boolean
}

function gapsByIdentity(recording: RecordingDetail): Map<string, GapSpan[]> {
  const owner = new Map(recording.tracks.map(track => [track.id, track.identity]))
  const found = new Map<string, GapSpan[]>()
  for (const gap of recording.gaps) {
    const identity = owner.get(gap.track)
    if (identity === undefined) continue
    const span = { start: gap.start_ms, end: gap.end_ms, off: gap.reason === 'off_record' }
    found.set(identity, [...(found.get(identity) ?? []), span])
  }
  return found
}

function Gaps({ gaps, share }: { gaps: GapSpan[]; share(ms: number): number }) {
  const t = useT()
  return gaps
    .filter(gap => share(gap.end) > 0 && share(gap.start) < 1)
    .map(gap => (
      <i
        key={`${gap.start} ${gap.off}`}
        className={gap.off ? 'hatch off' : 'hatch'}
        title={t(gap.off ? 'player.gap_off' : 'player.gapThere')}
        style={between(share(gap.start), share(gap.end))}
      />
    ))
}

interface SpansProps {
  lane: SpeakerLane
  engine: PlayerEngine
  share(ms: number): number
  window: Window
}

function Spans({ lane, engine, share, window }: SpansProps) {
  const current = useView(engine, (view: PlayerView) =>
    lane.spans.findIndex(span => span.start <= view.position && view.position < span.end),
  )
  return lane.spans.map(
    (span, i) =>
      span.end > window.from &&
      span.start < window.until && (
        <i
          key={span.start}
          className={`span${i === current ? ' now' : ''}`}
          style={between(share(span.start), share(span.end))}
        />
      ),
  )
}

function LaneHead({ lane, heard, onMute }: { lane: SpeakerLane; heard: boolean; onMute(): void }) {
  const t = useT()
  return (
    <div className="lane-head">
      <Avatar name={lane.name} small />
      <span className="cut">{lane.name}</span>
      <small className="cut grow">{lane.org}</small>
      <Button
        look="ghost"
        size="small"
        square
        icon={heard ? <Volume2 size={15} /> : <VolumeX size={15} />}
        aria-label={t(heard ? 'player.muteOne' : 'player.unmuteOne', { name: lane.name })}
        aria-pressed={!heard}
        onClick={onMute}
      />
    </div>
  )
}

interface EventRowProps {
  lane: EventLane
  folded: boolean
  onFold(): void
  share(ms: number): number
  window: Window
  width: number
  began: number
  onSeek(event: React.MouseEvent<HTMLElement>): void
  onJump(at: number): void
}

/** Lanes of words only have dots: what was said stands beside the pictures. */
const dotted = new Set(['chat', 'people', 'data'])

function EventRow({ lane, folded, onFold, share, window, width, began, onSeek, onJump }: EventRowProps) {
  const t = useT()
  const Icon = laneIcon(lane.icon)
  const shown = useMemo(
    () => lane.items.filter(item => (item.until_ms ?? item.at_ms) >= window.from && item.at_ms <= window.until),
    [lane, window],
  )
  const space = useMemo(
    () =>
      dotted.has(lane.id) || folded
        ? []
        : rooms(
            shown.map(item => Math.max(0, share(item.at_ms)) * width),
            width,
          ),
    [lane.id, folded, shown, share, width],
  )
  return (
    <div className={`lane event-lane${folded ? ' folded' : ''}`} data-testid="event-lane" data-lane={lane.id}>
      <button
        type="button"
        className="lane-head"
        aria-expanded={!folded}
        title={t(folded ? 'player.unfoldLane' : 'player.foldLane', { name: lane.title })}
        onClick={onFold}
      >
        <Icon size={15} aria-hidden />
        <span className="cut">{lane.title}</span>
        <small>{lane.items.length}</small>
      </button>
      <div className="lane-track" onClick={onSeek}>
        {shown.map((item, i) => (
          <ItemMark
            key={item.id}
            item={item}
            at={Math.max(0, share(item.at_ms))}
            until={item.until_ms === null ? undefined : share(item.until_ms)}
            room={space[i] ?? 0}
            began={began}
            onJump={onJump}
          />
        ))}
      </div>
    </div>
  )
}

interface MarkProps {
  item: LaneItem
  at: number
  until: number | undefined
  /** px for words; 0: a dot. */
  room: number
  began: number
  onJump(at: number): void
}

function ItemMark({ item, at, until, room, began, onJump }: MarkProps) {
  const text = itemText(item)
  const who = item.type === 'chat' && item.who ? `${item.who} ` : ''
  const words = `${clockTime(began + item.at_ms)} ${who}${text}`
  return (
    <>
      {until !== undefined && until > at && <i className="lasting" style={between(at, until)} aria-hidden />}
      <button
        type="button"
        className={room ? 'mark words' : 'mark'}
        style={{ left: `${at * 100}%`, ...(room && { maxWidth: room }) }}
        title={words}
        aria-label={words}
        tabIndex={-1}
        onClick={press => {
          press.stopPropagation()
          onJump(item.at_ms)
        }}
        data-testid="lane-item"
        data-type={item.type}
        data-at-ms={item.at_ms}
      >
        {room > 0 && <span className="cut">{text}</span>}
      </button>
    </>
  )
}
