import { ChevronLeft, ChevronRight, Pause, Play, Radio, SkipBack } from 'lucide-react'
import { type CSSProperties, type KeyboardEvent, type PointerEvent, useState } from 'react'
import { reasonText, sentence, useTick } from '../app/command'
import { hub } from '../app/hub'
import type { CameraDetail } from '../hub/cameraTypes'
import { t, useT } from '../i18n'
import { Button } from '../ui/controls'
import { MenuButton } from '../ui/overlay'
import { clockTime, dayKey } from '../ui/time.model'
import { useAlarmsOf } from './alarms'
import { DownloadButton } from './Downloads'
import { type Day, dayOf, marks, momentAt, pieces, share, speeds } from './day.model'
import { type Player, type Replaying, useRecordings } from './playback'

const hours = Array.from({ length: 13 }, (_, i) => i * 2)

/** The day of the selected camera: what its device has recorded, alarms, and what is playing. */
export function DayStrip({ camera, player }: { camera: CameraDetail | undefined; player: Player }) {
  const t = useT()
  const [by, setBy] = useState(0)
  const own = player.replaying?.camera === camera?.id ? player.replaying : undefined
  useTick(own ? 250 : 10_000)
  const now = hub.now()
  const day = dayOf(now, by)
  const recordings = useRecordings(camera, day)
  if (!camera) return <section className="day empty-day note">{t('day.choose')}</section>
  const may = camera.may.includes('playback')
  const at = own ? player.position() : undefined
  const play = (from: number) => player.playFrom(camera, recordings.items, from, Math.min(day.end, now))
  const first = recordings.items[0]
  return (
    <section className="day" aria-label={t('day.title', { name: camera.name })} data-testid="day">
      <header>
        <h3 className="cut">{t('day.title', { name: camera.name })}</h3>
        <Button
          size="small"
          look="ghost"
          square
          icon={<ChevronLeft size={16} />}
          aria-label={t('day.previous')}
          onClick={() => setBy(by - 1)}
        />
        <time>{dayKey(day.start)}</time>
        <Button
          size="small"
          look="ghost"
          square
          icon={<ChevronRight size={16} />}
          aria-label={t('day.next')}
          refused={by >= 0 && t('day.none')}
          onClick={() => setBy(by + 1)}
        />
        <span className="note" role="status" data-testid="day-status">
          {status(own, may, recordings)}
        </span>
        <span className="grow" />
        {at !== undefined && <time className="day-clock">{clockTime(at)}</time>}
        <Controls
          player={player}
          own={own !== undefined}
          pending={player.pending}
          onStart={() => first && play(Date.parse(first.start))}
        />
        {camera.protocol === 'gb28181' && <DownloadButton camera={camera} recordings={recordings.items} at={at} />}
      </header>
      <Strip
        day={day}
        camera={camera}
        recordings={recordings.items}
        at={at ?? (by === 0 ? now : undefined)}
        live={!own}
        onSeek={play}
      />
    </section>
  )
}

function status(own: Replaying | undefined, may: boolean, recordings: ReturnType<typeof useRecordings>): string {
  if (own?.over) return t('day.over')
  if (own?.reason) return reasonText(own.reason) ?? ''
  if (!may) return t('day.noRight')
  if (recordings.error) return sentence(recordings.error)
  if (recordings.loading) return t('day.searching')
  if (!recordings.items.length) return t('day.none')
  return recordings.complete ? '' : t('day.part')
}

interface ControlsProps {
  player: Player
  own: boolean
  pending: boolean
  onStart(): void
}

function Controls({ player, own, pending, onStart }: ControlsProps) {
  const t = useT()
  const playing = own && !player.replaying?.paused && !player.replaying?.over
  const speed = own ? (player.replaying?.head.speed ?? 1) : 1
  return (
    <>
      <Button
        size="small"
        square
        look="ghost"
        icon={<SkipBack size={16} />}
        aria-label={t('day.start')}
        onClick={onStart}
      />
      <Button
        size="small"
        square
        look="ghost"
        icon={playing ? <Pause size={16} /> : <Play size={16} />}
        aria-label={t(playing ? 'day.pause' : 'day.play')}
        onClick={own ? player.toggle : onStart}
        data-testid="day-play"
      />
      <MenuButton
        size="small"
        place="above-end"
        aria-label={t('day.speed')}
        refused={!own && t('day.notPlaying')}
        items={speeds.map(value => ({ key: String(value), label: `${value}×`, onPick: () => player.speed(value) }))}
        data-testid="day-speed"
      >
        {speed}×
      </MenuButton>
      <Button
        size="small"
        icon={<Radio size={15} />}
        aria-pressed={!own}
        pending={pending && t('common.loading')}
        onClick={player.live}
        data-testid="day-live"
      >
        {t('day.live')}
      </Button>
    </>
  )
}

interface StripProps {
  day: Day
  camera: CameraDetail
  recordings: Parameters<typeof pieces>[1]
  at: number | undefined
  live: boolean
  onSeek(moment: number): void
}

function Strip({ day, camera, recordings, at, live, onSeek }: StripProps) {
  const t = useT()
  const alarms = marks(day, useAlarmsOf(camera.id))
  const moment = (event: PointerEvent<HTMLElement>) => {
    const box = event.currentTarget.getBoundingClientRect()
    return momentAt(day, (event.clientX - box.left) / box.width)
  }
  const keys = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    if (!step || at === undefined || event.altKey) return
    event.preventDefault()
    onSeek(at + step * (event.shiftKey ? 600_000 : 60_000))
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
      <div
        className="day-track"
        role="slider"
        tabIndex={0}
        aria-label={t('day.strip')}
        aria-valuemin={0}
        aria-valuemax={86400}
        aria-valuenow={at === undefined ? 0 : Math.round((at - day.start) / 1000)}
        aria-valuetext={at === undefined ? '' : clockTime(at)}
        onPointerUp={event => onSeek(moment(event))}
        onKeyDown={keys}
        data-testid="day-strip"
      >
        {pieces(day, recordings).map(one => (
          <i
            key={one.from}
            className={`day-piece ${one.kind}`}
            style={span(one.from, one.to)}
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
    </div>
  )
}

function span(from: number, to: number): CSSProperties {
  return { left: `${from * 100}%`, width: `${(to - from) * 100}%` }
}
