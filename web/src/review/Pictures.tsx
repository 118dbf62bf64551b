import { Cctv, CircleSlash, Headphones, Mic, Monitor, Unplug, WifiOff } from 'lucide-react'
import { memo, useCallback, useEffect, useRef } from 'react'
import { hub, useHub } from '../app/hub'
import type { RecordingDetail } from '../hub/types'
import { type Key, useT } from '../i18n'
import { SpeakingBars } from '../room/TileView'
import { useBox } from '../ui/box'
import { Avatar, Button } from '../ui/controls'
import { clockTime, dateTime } from '../ui/time.model'
import type { PlayerEngine, PlayerView } from './engine'
import type { SpeakerLane } from './lanes.model'
import { Media } from './Media'
import type { LaneItem } from './shapes.model'
import { gridLayout, playerLayout, type Rect } from './stage.model'
import type { Staged } from './stagings.model'
import { endOf, gapAt, isOpen, type Part, type PlayerTile } from './tracks.model'
import { attemptOf, bufferingOf, failedOf, onAirOf, partsOf, useView } from './useView'
import type { Failure } from './view.model'
import { Words } from './Words'
import { guard } from './watermark'
import '../ui/tile.css'

interface Props {
  recording: RecordingDetail
  /** Everybody, also who is not shown: an element keeps its place in the page. */
  staged: Staged
  onMain(track: string): void
  engine: PlayerEngine
  lanes: SpeakerLane[]
  label: string
  /** Of these the words are shown over the picture. */
  items?: readonly LaneItem[] | undefined
  children?: React.ReactNode
}

export function Pictures({ recording, staged, onMain, engine, lanes, label, items, children }: Props) {
  const t = useT()
  const [measure, size] = useBox()
  const box = useRef<HTMLDivElement>(null)
  const parts = useView(engine, partsOf)
  const onAir = useView(engine, onAirOf)
  const failed = useView(engine, failedOf)
  const attempt = useView(engine, attemptOf)
  const buffering = useView(engine, bufferingOf)
  useWatermark(box, recording)
  const { tiles, large, more } = staged
  const at = tiles.findIndex(tile => tile.track.id === large)
  const rects = (at < 0 ? gridLayout : playerLayout)(size.width, size.height, tiles.length)
  // The elements keep their place in the page, only their rectangle changes: a moved element would load anew.
  const rectOf = (i: number): Rect | undefined => (at < 0 ? rects[i] : rects[i === at ? 0 : i < at ? i + 1 : i])
  const ref = useCallback(
    (element: HTMLDivElement | null) => {
      box.current = element
      measure(element)
    },
    [measure],
  )
  return (
    <section className="pictures" aria-label={label}>
      {children}
      <div className="pictures-box" ref={ref}>
        {tiles.map((tile, i) => {
          const rect = rectOf(i)
          const own = parts.filter(part => part.track.id === tile.track.id && part.track.kind === 'video')
          const shown = own.find(part => onAir.has(part.key))
          return (
            rect && (
              <PictureTile
                key={tile.track.id}
                tile={tile}
                {...rect}
                recording={recording}
                engine={engine}
                lanes={lanes}
                parts={own}
                keys={own.map(part => part.key).join()}
                shown={shown?.key}
                failure={shown && failed.get(shown.key)}
                attempt={attempt}
                main={i === at}
                onMain={onMain}
              />
            )
          )
        })}
        {items && <Words engine={engine} items={items} over={at < 0 ? undefined : rects[0]} />}
        {buffering && (
          <span className="buffering" role="status">
            <span className="spin" /> {t('player.buffering')}
          </span>
        )}
        {more > 0 && <span className="more-tiles">{t('player.moreTiles', { count: more })}</span>}
      </div>
    </section>
  )
}

/** Who looks, for whom, and when, across every picture. */
function useWatermark(box: { current: HTMLElement | null }, recording: RecordingDetail): void {
  const t = useT()
  const person = useHub(state => state.session?.person)
  const { watermark } = recording
  useEffect(() => {
    const name = watermark?.name ?? person?.name ?? ''
    const org = watermark?.org_name ?? person?.org.name ?? ''
    if (!box.current) return
    return guard(box.current, () => t('player.watermark', { name, org, time: dateTime(hub.now()).slice(5) }))
  }, [box, t, person, watermark])
}

interface TileProps extends Rect {
  tile: PlayerTile
  recording: RecordingDetail
  engine: PlayerEngine
  lanes: SpeakerLane[]
  parts: Part[]
  keys: string
  shown: string | undefined
  failure: Failure | undefined
  attempt: number
  main: boolean
  onMain(track: string): void
}

/** `parts` are made anew each time, with the same `keys`. */
function sameTile(a: TileProps, b: TileProps): boolean {
  return (Object.keys(b) as (keyof TileProps)[]).every(name => name === 'parts' || a[name] === b[name])
}

const PictureTile = memo(function PictureTile(props: TileProps) {
  const { tile, x, y, width, height, recording, engine, lanes, parts, shown, failure, attempt, main, onMain } = props
  const t = useT()
  const { identity } = tile
  const speaking = useView(
    engine,
    useCallback((view: PlayerView) => speaks(lanes, identity, view.position), [lanes, identity]),
  )
  const first = tile.track.segments[0]
  const name = tile.kind === 'screen' ? t('tile.screenOf', { name: tile.name }) : tile.name
  // At the very start everybody's first picture is shown already, though tracks begin within a second or two.
  const early = first && first.start_ms < 3000 && parts[0]?.segment.start_ms === first.start_ms
  const soon = shown ?? (early ? parts[0]?.key : undefined)
  const bad = failure !== undefined
  return (
    <div
      className={`tile${speaking && tile.kind === 'person' ? ' speaking' : ''}`}
      style={{ left: x, top: y, width, height }}
      role="button"
      tabIndex={0}
      aria-pressed={main}
      aria-label={t('player.makeMain', { name })}
      onClick={() => onMain(tile.track.id)}
      onKeyDown={event => {
        if (event.key === 'Enter') onMain(tile.track.id)
      }}
      data-testid="player-tile"
      data-track={tile.track.id}
      data-identity={tile.identity}
      data-kind={tile.kind}
    >
      {parts.map((part, i) => (
        <Media
          key={`${part.key} ${attempt}`}
          engine={engine}
          part={part}
          muted
          shown={i <= parts.findIndex(one => one.key === soon) && !bad}
          fit={tile.kind === 'person' ? 'cover' : 'contain'}
        />
      ))}
      {bad && <Failed tile={tile} failure={failure} onRetry={() => engine.retry()} />}
      {!soon && !bad && <Instead tile={tile} recording={recording} engine={engine} />}
      <span className="tile-label">
        <KindIcon tile={tile} speaking={speaking} />
        <strong className="cut">{name}</strong>
        <span className="cut org">{tile.org}</span>
      </span>
    </div>
  )
}, sameTile)

function speaks(lanes: SpeakerLane[], identity: string, at: number): boolean {
  return lanes.some(lane => lane.identity === identity && lane.spans.some(span => span.start <= at && at < span.end))
}

function KindIcon({ tile, speaking }: { tile: PlayerTile; speaking: boolean }) {
  if (tile.kind === 'camera') return <Cctv size={14} aria-hidden />
  if (tile.kind === 'screen') return <Monitor size={14} aria-hidden />
  return speaking ? <SpeakingBars /> : <Mic size={14} aria-hidden />
}

const failureWords: Record<Failure, Key> = {
  codec: 'player.frozenTrack',
  gone: 'player.goneTrack',
  forbidden: 'player.forbiddenTrack',
  network: 'player.networkTrack',
}

function Failed({ tile, failure, onRetry }: { tile: PlayerTile; failure: Failure; onRetry(): void }) {
  const t = useT()
  const hevc = failure === 'codec' && tile.track.codec === 'h265'
  return (
    <div className="tile-middle" data-testid="player-failed" data-failure={failure}>
      <Unplug size={28} />
      <span>{t(hevc ? 'player.hevcTrack' : failureWords[failure])}</span>
      {failure === 'network' && (
        <Button
          size="small"
          onClick={event => {
            event.stopPropagation()
            onRetry()
          }}
        >
          {t('common.tryAgain')}
        </Button>
      )}
    </div>
  )
}

const reasons: Record<string, Key> = {
  loss: 'player.gap_loss',
  link: 'player.gap_link',
  clock: 'player.gap_clock',
  worker_lost: 'player.gap_worker',
  worker_moved: 'player.gap_worker',
  recorder: 'player.gap_recorder',
  disk_slow: 'player.gap_disk',
  disk_low: 'player.gap_disk',
  encrypted: 'player.gap_encrypted',
  codec: 'player.gap_codec',
  off_record: 'player.gap_off',
}

/** What the viewer is told of a gap; the recorder's word where nobody knows a better one. */
export function gapReason(reason: string | null): Key {
  return reasons[reason ?? ''] ?? 'player.gap_other'
}

/** What stands where there is no picture, and why there is none. */
function Instead({ tile, recording, engine }: { tile: PlayerTile; recording: RecordingDetail; engine: PlayerEngine }) {
  const t = useT()
  const { track } = tile
  const state = useView(
    engine,
    useCallback(
      (view: PlayerView) => {
        const at = view.position
        const gap = gapAt(recording.gaps, track.id, at)
        if (gap) return `gap ${recording.gaps.indexOf(gap)}`
        const first = track.segments[0]
        const last = track.segments.at(-1)
        if (first && at < first.start_ms) return 'before'
        return last && !isOpen(last) && at >= endOf(last) ? 'after' : 'none'
      },
      [recording, track],
    ),
  )
  const gap = state.startsWith('gap ') ? recording.gaps[Number(state.slice(4))] : undefined
  if (gap) {
    const began = Date.parse(recording.started_at)
    const off = gap.reason === 'off_record'
    return (
      <div className="tile-middle gap" data-testid="player-gap" data-reason={gap.reason}>
        {off ? <CircleSlash size={24} /> : <WifiOff size={24} />}
        <span>
          {t(off ? 'player.offRecord' : 'player.gap', {
            name: tile.name,
            from: clockTime(began + gap.start_ms),
            to: clockTime(began + gap.end_ms),
          })}
        </span>
        <small>{t(gapReason(gap.reason))}</small>
      </div>
    )
  }
  return (
    <div className="tile-middle">
      <Avatar name={tile.name} />
      {state === 'before' && <small>{t('player.before')}</small>}
      {state === 'after' && <small>{t('player.after')}</small>}
      {state === 'none' && track.kind === 'audio' && (
        <small>
          <Headphones size={13} /> {t('player.soundOnly')}
        </small>
      )}
    </div>
  )
}
