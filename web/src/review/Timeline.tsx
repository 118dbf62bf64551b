import { Cctv, CircleDot, DoorOpen, Info, MessageSquare, Volume2, VolumeX } from 'lucide-react'
import { type CSSProperties, type ReactNode, useMemo } from 'react'
import type { RecordedEvent, RecordingDetail } from '../hub/types'
import { type Key, useT } from '../i18n'
import { Avatar, Button } from '../ui/controls'
import { clockTime, longDuration, shortTime } from '../ui/time.model'
import type { PlayerEngine } from './engine'
import { eventLanes, type LaneKind, type SpeakerLane, ticks } from './lanes.model'
import { type Hearing, hears } from './sound.model'
import { eventText } from './words'

interface Props {
  recording: RecordingDetail
  engine: PlayerEngine
  position: number
  lanes: SpeakerLane[]
  sound: Hearing
  onMute(identity: string): void
}

const laneWords: Record<LaneKind, { name: Key; icon: ReactNode }> = {
  chat: { name: 'player.laneChat', icon: <MessageSquare size={15} /> },
  camera: { name: 'player.laneCamera', icon: <Cctv size={15} /> },
  people: { name: 'player.lanePeople', icon: <DoorOpen size={15} /> },
  recording: { name: 'player.laneRecording', icon: <CircleDot size={15} /> },
  other: { name: 'player.laneOther', icon: <Info size={15} /> },
}

/** Who spoke when and what happened, over the whole length; a press anywhere goes there. */
export function Timeline({ recording, engine, position, lanes, sound, onMute }: Props) {
  const t = useT()
  const { duration } = engine
  const share = (ms: number) => (duration > 0 ? ms / duration : 0)
  const events = useMemo(() => eventLanes(recording.events), [recording])
  const gaps = useMemo(() => gapsByIdentity(recording), [recording])
  const head = { '--at': share(position) } as CSSProperties
  const seek = (event: React.MouseEvent<HTMLElement>) => {
    const box = event.currentTarget.getBoundingClientRect()
    engine.seek(((event.clientX - box.left) / box.width) * duration)
  }
  return (
    <section className="timeline" aria-label={t('player.timeline')} style={head}>
      <Axis recording={recording} engine={engine} position={position} />
      <div className="lanes">
        {lanes.map(lane => (
          <div className="lane" key={lane.identity} data-testid="speaker-lane" data-identity={lane.identity}>
            <LaneHead lane={lane} heard={hears(sound, lane.identity)} onMute={() => onMute(lane.identity)} />
            <div className="lane-track" onClick={seek}>
              {(gaps.get(lane.identity) ?? []).map(gap => (
                <i key={gap.start} className="hatch" style={between(share(gap.start), share(gap.end))} />
              ))}
              {lane.spans.map(span => (
                <i
                  key={span.start}
                  className={`span${span.start <= position && position < span.end ? ' now' : ''}`}
                  style={between(share(span.start), share(span.end))}
                />
              ))}
            </div>
          </div>
        ))}
        {events.map(lane => (
          <div className="lane event-lane" key={lane.kind}>
            <div className="lane-head">
              {laneWords[lane.kind].icon}
              <span>{t(laneWords[lane.kind].name)}</span>
              <small>{lane.events.length}</small>
            </div>
            <div className="lane-track" onClick={seek}>
              {lane.events.map((event, i) => (
                <Mark
                  // biome-ignore lint/suspicious/noArrayIndexKey: a recording's events do not move
                  key={i}
                  event={event}
                  at={share(event.at_ms)}
                  onSeek={() => engine.seek(event.at_ms)}
                  began={Date.parse(recording.started_at)}
                />
              ))}
            </div>
          </div>
        ))}
        <div className="playhead" aria-hidden />
      </div>
    </section>
  )
}

function between(from: number, to: number): CSSProperties {
  return { left: `${from * 100}%`, width: `${(to - from) * 100}%` }
}

function gapsByIdentity(recording: RecordingDetail): Map<string, { start: number; end: number }[]> {
  const owner = new Map(recording.tracks.map(track => [track.id, track.identity]))
  const found = new Map<string, { start: number; end: number }[]>()
  for (const gap of recording.gaps) {
    const identity = owner.get(gap.track)
    if (identity === undefined) continue
    found.set(identity, [...(found.get(identity) ?? []), { start: gap.start_ms, end: gap.end_ms }])
  }
  return found
}

function Axis({ recording, engine, position }: { recording: RecordingDetail; engine: PlayerEngine; position: number }) {
  const t = useT()
  const began = Date.parse(recording.started_at)
  const { duration } = engine
  // The last one must not run out of the panel.
  const marks = useMemo(() => ticks(began, duration).filter(mark => mark < duration * 0.95), [began, duration])
  const words = duration < 600_000 ? clockTime : shortTime
  return (
    <div className="axis">
      <div className="lane-head" />
      <div className="lane-track">
        {marks.map(mark => (
          <span key={mark} className="tick" style={{ left: `${(mark / Math.max(1, duration)) * 100}%` }}>
            {words(began + mark)}
          </span>
        ))}
        <input
          type="range"
          min={0}
          max={Math.max(1, Math.round(duration))}
          step={1}
          value={Math.round(position)}
          aria-label={t('player.seek')}
          aria-valuetext={longDuration(position)}
          onChange={event => engine.seek(Number(event.target.value))}
          data-testid="player-seek"
        />
        <span className="headtime" aria-hidden>
          {longDuration(position)}
        </span>
      </div>
    </div>
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

interface MarkProps {
  event: RecordedEvent
  at: number
  began: number
  onSeek(): void
}

/** A dot; its words come when it has the focus or the pointer. */
function Mark({ event, at, began, onSeek }: MarkProps) {
  const t = useT()
  const who = event.type === 'chat' && event.name ? `${event.name} ` : ''
  const words = `${clockTime(began + event.at_ms)} ${who}${eventText(event, t)}`
  return (
    <button
      type="button"
      className="mark"
      style={{ left: `${at * 100}%` }}
      title={words}
      aria-label={words}
      tabIndex={-1}
      onClick={press => {
        press.stopPropagation()
        onSeek()
      }}
    />
  )
}
