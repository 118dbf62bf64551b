import type { Track } from 'livekit-client'
import { Cctv, Lock as LockIcon, Plug, Snowflake, Unplug, X } from 'lucide-react'
import { type CSSProperties, type DragEvent, type ReactNode, useState } from 'react'
import { useTick } from '../app/command'
import type { Alarm, CameraDetail, Lock, ViewItem } from '../hub/cameraTypes'
import type { CameraState } from '../hub/types'
import { useT } from '../i18n'
import { useRecorded } from '../recorded/desk'
import { Picture } from '../room/Picture'
import { sourceQuality } from '../room/tiles.model'
import { Bars, Button } from '../ui/controls'
import { Level, levelKey } from '../ui/Level'
import { clockTime } from '../ui/time.model'
import { DragZoom } from './DragZoom'
import { dragged } from './TreeSide'
import { frozenAfter, openingSeconds, type TileState, tileState } from './tile.model'
import '../ui/tile.css'

export interface TileOf {
  camera: string
  record: CameraDetail | undefined
  missing: boolean
  item: ViewItem | undefined
  news: CameraState | undefined
  track: Track | undefined
  lock: Lock | null
  /** Its gravest open alarm. */
  alarm: Alarm | undefined
  /** Where a playback stands, ms; undefined when the tile is live. */
  playback: number | undefined
}

interface Props {
  place: number
  tile: TileOf | undefined
  style: CSSProperties
  selected: boolean
  /** It is shown in its large stream. */
  main: boolean
  zoomable: boolean
  onSelect(): void
  onClose(): void
  onDrop(camera: string, from: number | undefined): void
  onDiagnose(): void
}

const fromPlace = 'application/x-commhub-place'

export function CameraTile(props: Props) {
  const { place, tile, style, selected, onSelect, onDrop } = props
  const t = useT()
  const [over, setOver] = useState(false)
  const [drawn, setDrawn] = useState<Track>()
  const [frozen, setFrozen] = useState<number>()
  const state: TileState = tile
    ? tileState({
        camera: tile.record,
        missing: tile.missing,
        item: tile.item,
        news: tile.news,
        drawn: tile.track !== undefined && drawn === tile.track,
        frozenSince: frozen,
      })
    : 'empty'
  const name = tile ? (tile.record?.name ?? '') : t('spot.empty')
  const drop = (event: DragEvent) => {
    setOver(false)
    const camera = event.dataTransfer.getData(dragged)
    const from = event.dataTransfer.getData(fromPlace)
    if (!camera) return
    event.preventDefault()
    onDrop(camera, from === '' ? undefined : Number(from))
  }
  return (
    <div
      className={`spot is-${state}${selected ? ' selected' : ''}${over ? ' over' : ''}`}
      style={style}
      tabIndex={selected ? 0 : -1}
      role="option"
      aria-selected={selected}
      aria-label={`${name} ${tile?.record?.org.name ?? ''} ${tile ? t(stateWords[state]) : ''}`}
      onPointerDown={onSelect}
      onFocus={onSelect}
      onDragOver={event => {
        if (!event.dataTransfer.types.includes(dragged)) return
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      data-testid="spot"
      data-place={place}
      data-camera={tile?.camera}
      data-identity={tile?.item?.identity}
      data-state={state}
    >
      <div className="spot-picture">
        {tile?.track && (
          <Picture
            track={tile.track}
            fit="contain"
            onFrame={() => setDrawn(tile.track)}
            patience={frozenAfter}
            // A playback that is paused stands still on purpose.
            {...(tile.playback === undefined && { onFrozen: setFrozen })}
          />
        )}
        <Middle tile={tile} state={state} onDiagnose={props.onDiagnose} />
        {tile && props.zoomable && state === 'live' && <DragZoom camera={tile.camera} />}
        {tile && <Badge tile={tile} state={state} main={props.main} frozen={frozen} />}
      </div>
      <Strip {...props} state={state} name={name} />
    </div>
  )
}

const stateWords = {
  empty: 'spot.empty',
  loading: 'spot.opening',
  live: 'spot.live',
  frozen: 'tile.failed',
  failed: 'spot.failed',
  offline: 'spot.offline',
  locked: 'spot.locked',
} as const

function Middle({ tile, state, onDiagnose }: { tile: TileOf | undefined; state: TileState; onDiagnose(): void }) {
  const t = useT()
  if (state === 'empty') return <p className="spot-middle empty-hint">{t('spot.emptyHint')}</p>
  if (state === 'loading') return <Opening key={tile?.camera} />
  const diagnose = (
    <Button size="small" onClick={onDiagnose} data-testid="spot-diagnose">
      {t('spot.diagnose')}
    </Button>
  )
  if (state === 'failed')
    return (
      <Said icon={<Unplug size={24} />} text={t('spot.failed')} note={tile?.item?.reason?.text}>
        {diagnose}
      </Said>
    )
  if (state === 'offline')
    return (
      <Said icon={<Plug size={24} />} text={t('spot.offline')} note={t('spot.offlineHint')}>
        {diagnose}
      </Said>
    )
  if (state === 'locked')
    return (
      <Said
        icon={<LockIcon size={24} />}
        text={t('spot.locked')}
        note={tile?.item?.reason?.text ?? t('spot.lockedHint')}
      />
    )
  return null
}

function Said({
  icon,
  text,
  note,
  children,
}: {
  icon: ReactNode
  text: string
  note?: string | undefined
  children?: ReactNode
}) {
  return (
    <div className="spot-middle">
      {icon}
      <strong>{text}</strong>
      {note && <small>{note}</small>}
      {children}
    </div>
  )
}

/** Seconds it takes are shown after the first third of one. */
function Opening() {
  const t = useT()
  const [since] = useState(() => Date.now())
  useTick(100)
  const ms = Date.now() - since
  if (ms < 300) return null
  return (
    <div className="spot-middle" role="status">
      <span className="spin big" />
      <span>{t('spot.openingFor', { seconds: openingSeconds(ms) })}</span>
    </div>
  )
}

/** One badge at the top right; the clock of the camera is at the top left. */
function Badge({
  tile,
  state,
  main,
  frozen,
}: {
  tile: TileOf
  state: TileState
  main: boolean
  frozen: number | undefined
}) {
  const t = useT()
  if (state === 'frozen')
    return (
      <span className="badge spot-badge">
        <Snowflake size={13} />{' '}
        {frozen === undefined ? t('spot.failed') : t('spot.frozen', { time: clockTime(frozen) })}
      </span>
    )
  if (tile.playback !== undefined)
    return <span className="badge spot-badge inverse">{t('spot.playback', { time: clockTime(tile.playback) })}</span>
  if (tile.alarm)
    return (
      <span className="badge spot-badge">
        <Level level={tile.alarm.level} size={16} silent />
        <span className="cut">{t('spot.alarm', { level: t(levelKey(tile.alarm.level)), text: tile.alarm.text })}</span>
      </span>
    )
  if (main && state === 'live') return <span className="badge spot-badge">{t('spot.main')}</span>
  return null
}

function Strip({ tile, place, name, onClose }: Props & { state: TileState; name: string }) {
  const t = useT()
  const taped = useRecorded(tile?.camera ?? '') === 'recording'
  if (!tile) return <div className="spot-strip" />
  const { record, lock } = tile
  return (
    <div
      className="spot-strip"
      draggable
      onDragStart={event => {
        event.dataTransfer.setData(dragged, tile.camera)
        event.dataTransfer.setData(fromPlace, String(place))
      }}
    >
      {taped && (
        <span
          className="ringdot spot-recorded"
          role="img"
          aria-label={t('recorded.on')}
          title={t('recorded.on')}
          data-testid="spot-recorded"
        />
      )}
      <strong className="cut" title={name}>
        {name || <Cctv size={14} />}
      </strong>
      <span className="cut note grow">{record?.org.name}</span>
      {lock && (
        <span className={`chip small${lock.mine ? ' accent' : ''}`}>
          <LockIcon size={11} /> {lock.mine ? t('spot.lockMine') : lock.holder.name}
        </span>
      )}
      <Bars quality={sourceQuality(tile.news ?? tile.item?.state)} camera />
      <button
        type="button"
        className="spot-close"
        tabIndex={-1}
        aria-label={t('spot.close', { name })}
        onClick={event => {
          event.stopPropagation()
          onClose()
        }}
        data-testid="spot-close"
      >
        <X size={14} />
      </button>
    </div>
  )
}
