import { ChevronLeft, ChevronRight, Pause, Play, Radio, SkipBack } from 'lucide-react'
import { useState } from 'react'
import { reasonText, sentence, useTick } from '../app/command'
import { hub } from '../app/hub'
import type { CameraDetail } from '../hub/cameraTypes'
import { t, useT } from '../i18n'
import { Button } from '../ui/controls'
import { MenuButton } from '../ui/overlay'
import { clockTime, dayKey, longDuration } from '../ui/time.model'
import { DayTrack } from './DayTrack'
import { DownloadButton } from './Downloads'
import { dayOf, ofKind, type RecordingKind, recordingKinds, speeds } from './day.model'
import type { Span } from './files.model'
import { type Player, type Replaying, useRecordings } from './playback'

/** The day of the selected camera: what its device has recorded, alarms, and what is playing. */
export function DayStrip({ camera, player }: { camera: CameraDetail | undefined; player: Player }) {
  const t = useT()
  const [by, setBy] = useState(0)
  const [chosen, setChosen] = useState<Span>()
  const [kind, setKind] = useState<RecordingKind>()
  const own = player.replaying?.camera === camera?.id ? player.replaying : undefined
  useTick(own ? 250 : 10_000)
  const now = hub.now()
  const day = dayOf(now, by)
  const recordings = useRecordings(camera, day)
  if (!camera) return <section className="day empty-day note">{t('day.choose')}</section>
  const may = camera.may.includes('playback')
  const files = camera.protocol === 'gb28181' && camera.may.includes('download')
  const at = own ? player.position() : undefined
  const play = (from: number) => player.playFrom(camera, items, from, Math.min(day.end, now))
  const items = ofKind(recordings.items, kind)
  const first = items[0]
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
          {status(own, may, recordings, items.length > 0) || (chosen && chosenText(chosen))}
        </span>
        <span className="grow" />
        {recordings.items.length > 0 && <KindButton kind={kind} onKind={setKind} />}
        {at !== undefined && <time className="day-clock">{clockTime(at)}</time>}
        <Controls
          player={player}
          own={own !== undefined}
          pending={player.pending}
          onStart={() => first && play(Date.parse(first.start))}
        />
        {camera.protocol === 'gb28181' && (
          <DownloadButton camera={camera} recordings={items} at={at} chosen={chosen} onChosen={setChosen} />
        )}
      </header>
      <DayTrack
        day={day}
        camera={camera}
        recordings={items}
        at={at ?? (by === 0 ? now : undefined)}
        live={!own}
        onSeek={play}
        span={chosen}
        onSpan={files ? setChosen : undefined}
      />
    </section>
  )
}

function KindButton({
  kind,
  onKind,
}: {
  kind: RecordingKind | undefined
  onKind(kind: RecordingKind | undefined): void
}) {
  const t = useT()
  const word = (one: RecordingKind | undefined) => t(`day.kinds.${one ?? 'all'}`)
  return (
    <MenuButton
      size="small"
      place="above-end"
      aria-label={`${t('day.kind')} ${word(kind)}`}
      items={[undefined, ...recordingKinds].map(one => ({
        key: one ?? 'all',
        label: word(one),
        onPick: () => onKind(one),
      }))}
      data-testid="day-kind"
    >
      {word(kind)}
    </MenuButton>
  )
}

function status(
  own: Replaying | undefined,
  may: boolean,
  recordings: ReturnType<typeof useRecordings>,
  some: boolean,
): string {
  if (own?.over) return t('day.over')
  if (own?.reason) return reasonText(own.reason) ?? ''
  if (!may) return t('day.noRight')
  if (recordings.error) return sentence(recordings.error)
  if (recordings.loading) return t('day.searching')
  if (!recordings.items.length) return t('day.none')
  if (!some) return t('day.noneOfKind')
  return recordings.complete ? '' : t('day.part')
}

function chosenText({ from, to }: Span): string {
  return t('day.chosen', { from: clockTime(from), to: clockTime(to), length: longDuration(to - from) })
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
