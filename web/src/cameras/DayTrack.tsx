import { type CSSProperties, type KeyboardEvent, type PointerEvent, useRef } from 'react'
import { hub } from '../app/hub'
import type { CameraDetail } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { clockTime } from '../ui/time.model'
import { useAlarmsOf } from './alarms'
import { type Day, marks, momentAt, pieces, share } from './day.model'
import { type Edge, moved, type Span, spanned, turnedTo } from './files.model'

const hours = Array.from({ length: 13 }, (_, i) => i * 2)
/** Pixels from which on a press is no click any more. */
const slack = 4

interface Props {
  day: Day
  camera: CameraDetail
  recordings: Parameters<typeof pieces>[1]
  at: number | undefined
  live: boolean
  onSeek(moment: number): void
  span: Span | undefined
  /** Undefined where nothing can be fetched: then only clicks mean something. */
  onSpan: ((span: Span | undefined) => void) | undefined
}

/** The day from 0 to 24 h. A click plays from there, a drag chooses a span; so do the keys. */
export function DayTrack({ day, camera, recordings, at, live, onSeek, span, onSpan }: Props) {
  const t = useT()
  const alarms = marks(day, useAlarmsOf(camera.id))
  const until = Math.min(day.end, hub.now())
  const { lane, ...pointer } = useDrag(day, until, span, onSpan, onSeek)
  const keys = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    const edge: Edge | undefined = event.key === 'i' ? 'from' : event.key === 'o' ? 'to' : undefined
    if (event.altKey || event.ctrlKey || event.metaKey) return
    if (edge && onSpan) onSpan(turnedTo(span, edge, at ?? firstOf(recordings) ?? day.start, until))
    else if (event.key === 'Escape' && span && onSpan) onSpan(undefined)
    else if (step && at !== undefined) onSeek(at + step * (event.shiftKey ? 600_000 : 60_000))
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  return (
    <div className="day-strip">
      <div className="day-hours" aria-hidden>
        {hours.map(hour => (
          <span key={hour} style={{ left: `${(hour / 24) * 100}%` }}>
            {String(hour).padStart(2, '0')}
          </span>
        ))}
      </div>
      <div className="day-lane" ref={lane} {...pointer}>
        <div
          className="day-track"
          role="slider"
          tabIndex={0}
          aria-label={t(onSpan ? 'day.stripChoose' : 'day.strip')}
          aria-valuemin={0}
          aria-valuemax={86400}
          aria-valuenow={at === undefined ? 0 : Math.round((at - day.start) / 1000)}
          aria-valuetext={at === undefined ? '' : clockTime(at)}
          title={onSpan && t('day.hint')}
          onKeyDown={keys}
          data-testid="day-strip"
        >
          {pieces(day, recordings).map(one => (
            <i
              key={one.from}
              className={`day-piece ${one.kind}`}
              style={between(one.from, one.to)}
              data-testid="day-piece"
            />
          ))}
          {alarms.map(({ alarm, at: place }) => (
            <i
              key={alarm.id}
              className={`day-mark level-${alarm.level}`}
              style={{ left: `${place * 100}%` }}
              title={t('day.alarmAt', { time: clockTime(Date.parse(alarm.at)), text: alarm.text })}
            />
          ))}
          {at !== undefined && (
            <i className={`day-head${live ? ' live' : ''}`} style={{ left: `${share(day, at) * 100}%` }} />
          )}
        </div>
        {span && onSpan && span.to > day.start && span.from < day.end && (
          <>
            <i
              className="day-span"
              style={between(share(day, span.from), share(day, span.to))}
              data-testid="day-span"
            />
            <SpanEdge edge="from" day={day} span={span} until={until} onSpan={onSpan} />
            <SpanEdge edge="to" day={day} span={span} until={until} onSpan={onSpan} />
          </>
        )}
      </div>
    </div>
  )
}

interface EdgeProps {
  edge: Edge
  day: Day
  span: Span
  until: number
  onSpan(span: Span | undefined): void
}

/** Can be drawn with the pointer, and with the arrow keys by ten seconds or ten minutes. */
function SpanEdge({ edge, day, span, until, onSpan }: EdgeProps) {
  const t = useT()
  const keys = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    if (event.altKey || event.ctrlKey || event.metaKey) return
    if (step) onSpan(moved(span, edge, step * (event.shiftKey ? 600_000 : 10_000), until))
    else if (event.key === 'Escape') onSpan(undefined)
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  return (
    <button
      type="button"
      className="day-edge"
      role="slider"
      aria-label={t(edge === 'from' ? 'day.from' : 'day.to')}
      aria-valuemin={0}
      aria-valuemax={86400}
      aria-valuenow={Math.round((span[edge] - day.start) / 1000)}
      aria-valuetext={clockTime(span[edge])}
      style={{ left: `${share(day, span[edge]) * 100}%` }}
      onKeyDown={keys}
      data-edge={edge}
      data-testid={`day-edge-${edge}`}
    />
  )
}

/** A press that goes nowhere is a click; one that moves chooses, from where it began or from the other edge. */
function useDrag(day: Day, until: number, span: Span | undefined, onSpan: Props['onSpan'], onSeek: Props['onSeek']) {
  const lane = useRef<HTMLDivElement>(null)
  const held = useRef<{ x: number; anchor: number; moves: boolean }>(undefined)
  const moment = (x: number) => {
    const box = lane.current?.getBoundingClientRect()
    return box ? momentAt(day, (x - box.left) / box.width) : day.start
  }
  return {
    lane,
    onPointerDown(event: PointerEvent) {
      if (event.button !== 0 || !(event.target instanceof HTMLElement)) return
      event.target.setPointerCapture(event.pointerId)
      const edge = event.target.dataset.edge
      const anchor = edge && span ? (edge === 'from' ? span.to : span.from) : moment(event.clientX)
      held.current = { x: event.clientX, anchor, moves: edge !== undefined }
    },
    onPointerMove(event: PointerEvent) {
      const press = held.current
      if (!press || !onSpan) return
      press.moves ||= Math.abs(event.clientX - press.x) >= slack
      if (press.moves) onSpan(spanned(press.anchor, moment(event.clientX), until))
    },
    onPointerUp(event: PointerEvent) {
      const press = held.current
      held.current = undefined
      if (press && !press.moves) onSeek(moment(event.clientX))
    },
    onPointerCancel() {
      held.current = undefined
    },
  }
}

function firstOf(recordings: Props['recordings']): number | undefined {
  return recordings.length ? Math.min(...recordings.map(one => Date.parse(one.start))) : undefined
}

function between(from: number, to: number): CSSProperties {
  return { left: `${from * 100}%`, width: `${(to - from) * 100}%` }
}
