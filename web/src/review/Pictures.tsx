import { Cctv, Headphones, Mic, Monitor, Unplug, WifiOff } from 'lucide-react'
import { useId } from 'react'
import { useTick } from '../app/command'
import { hub, useHub } from '../app/hub'
import type { RecordingDetail } from '../hub/types'
import { useT } from '../i18n'
import { SpeakingBars } from '../room/TileView'
import { useBox } from '../ui/box'
import { Avatar } from '../ui/controls'
import { clockTime, dateTime } from '../ui/time.model'
import type { PlayerEngine, PlayerView } from './engine'
import type { SpeakerLane } from './lanes.model'
import { Media } from './Media'
import { playerLayout, type Rect } from './stage.model'
import { endOf, gapAt, type Part, type PlayerTile } from './tracks.model'
import '../ui/tile.css'

interface Props {
  recording: RecordingDetail
  tiles: PlayerTile[]
  main: string | undefined
  onMain(track: string): void
  engine: PlayerEngine
  view: PlayerView
  lanes: SpeakerLane[]
}

export function Pictures({ recording, tiles, main, onMain, engine, view, lanes }: Props) {
  const t = useT()
  const [ref, size] = useBox()
  const rects = playerLayout(size.width, size.height, tiles.length)
  const large = Math.max(
    0,
    tiles.findIndex(tile => tile.track.id === main),
  )
  const pattern = useId()
  // The elements keep their place in the page, only their rectangle changes: a moved element would load anew.
  const rectOf = (i: number): Rect | undefined => rects[i === large ? 0 : i < large ? i + 1 : i]
  return (
    <section className="pictures" aria-label={t('room.stage')}>
      <div className="pictures-box" ref={ref}>
        {tiles.map((tile, i) => {
          const rect = rectOf(i)
          return (
            rect && (
              <PictureTile
                key={tile.track.id}
                tile={tile}
                rect={rect}
                recording={recording}
                engine={engine}
                view={view}
                speaking={speaks(lanes, tile.identity, view.position)}
                pattern={pattern}
                main={i === large}
                onMain={() => onMain(tile.track.id)}
              />
            )
          )
        })}
        {view.buffering && (
          <span className="buffering" role="status">
            <span className="spin" /> {t('player.buffering')}
          </span>
        )}
      </div>
      <WatermarkPattern id={pattern} />
    </section>
  )
}

function speaks(lanes: SpeakerLane[], identity: string, at: number): boolean {
  return lanes.some(lane => lane.identity === identity && lane.spans.some(span => span.start <= at && at < span.end))
}

/** At the very start everybody's first picture is shown already, though tracks begin within a second or two. */
function soon(part: Part, tile: PlayerTile, at: number): boolean {
  const first = tile.track.segments[0]
  return part.segment.url === first?.url && at < first.start_ms && first.start_ms < 3000
}

interface TileProps {
  tile: PlayerTile
  rect: Rect
  recording: RecordingDetail
  engine: PlayerEngine
  view: PlayerView
  speaking: boolean
  pattern: string
  main: boolean
  onMain(): void
}

function PictureTile({ tile, rect, recording, engine, view, speaking, pattern, main, onMain }: TileProps) {
  const t = useT()
  const own = view.parts.filter(part => part.track.id === tile.track.id && part.track.kind === 'video')
  const shown = own.find(part => view.onAir.has(part.key)) ?? own.find(part => soon(part, tile, view.position))
  const name = tile.kind === 'screen' ? t('tile.screenOf', { name: tile.name }) : tile.name
  const style = { left: rect.x, top: rect.y, width: rect.width, height: rect.height }
  return (
    <div
      className={`tile${speaking && tile.kind === 'person' ? ' speaking' : ''}`}
      style={style}
      role="button"
      tabIndex={0}
      aria-pressed={main}
      aria-label={t('player.makeMain', { name })}
      onClick={onMain}
      onKeyDown={event => {
        if (event.key === 'Enter') onMain()
      }}
      data-testid="player-tile"
      data-track={tile.track.id}
      data-identity={tile.identity}
      data-kind={tile.kind}
    >
      {own.map(part => (
        <Media
          key={part.key}
          engine={engine}
          part={part}
          muted
          shown={part === shown && !view.failed.has(part.key)}
          fit={tile.kind === 'person' ? 'cover' : 'contain'}
        />
      ))}
      {(!shown || view.failed.has(shown.key)) && (
        <Instead tile={tile} recording={recording} at={view.position} failed={shown !== undefined} />
      )}
      <svg className="watermark" aria-hidden>
        <rect width="100%" height="100%" fill={`url(#${pattern})`} />
      </svg>
      <span className="tile-label">
        <KindIcon tile={tile} speaking={speaking} />
        <strong className="cut">{name}</strong>
        <span className="cut org">{tile.org}</span>
      </span>
    </div>
  )
}

function KindIcon({ tile, speaking }: { tile: PlayerTile; speaking: boolean }) {
  if (tile.kind === 'camera') return <Cctv size={14} aria-hidden />
  if (tile.kind === 'screen') return <Monitor size={14} aria-hidden />
  return speaking ? <SpeakingBars /> : <Mic size={14} aria-hidden />
}

/** What stands where there is no picture, and why there is none. */
function Instead({
  tile,
  recording,
  at,
  failed,
}: {
  tile: PlayerTile
  recording: RecordingDetail
  at: number
  failed: boolean
}) {
  const t = useT()
  const began = Date.parse(recording.started_at)
  if (failed)
    return (
      <div className="tile-middle">
        <Unplug size={28} />
        <span>{t(tile.track.codec === 'h265' ? 'player.hevcTrack' : 'player.frozenTrack')}</span>
      </div>
    )
  const gap = gapAt(recording.gaps, tile.track.id, at)
  if (gap)
    return (
      <div className="tile-middle gap">
        <WifiOff size={24} />
        <span>
          {t('player.gap', {
            name: tile.name,
            from: clockTime(began + gap.start_ms),
            to: clockTime(began + gap.end_ms),
          })}
        </span>
        <small>{t('player.gapHint')}</small>
      </div>
    )
  const first = tile.track.segments[0]
  const last = tile.track.segments.at(-1)
  const before = first && at < first.start_ms
  const after = last && at >= endOf(last)
  return (
    <div className="tile-middle">
      <Avatar name={tile.name} />
      {before && <small>{t('player.before')}</small>}
      {after && <small>{t('player.after')}</small>}
      {!before && !after && tile.track.kind === 'audio' && (
        <small>
          <Headphones size={13} /> {t('player.soundOnly')}
        </small>
      )}
    </div>
  )
}

/** Who looks, where from and when, across every picture: a copy of the screen says whose it was. */
function WatermarkPattern({ id }: { id: string }) {
  const t = useT()
  const person = useHub(state => state.session?.person)
  useTick(60_000)
  const words = t('player.watermark', {
    name: person?.name ?? '',
    org: person?.org.name ?? '',
    time: dateTime(hub.now()).slice(5),
  })
  const width = Math.max(220, [...words].length * 13)
  return (
    <svg className="defs" width="0" height="0" aria-hidden>
      <defs>
        <pattern id={id} width={width} height="110" patternUnits="userSpaceOnUse" patternTransform="rotate(-20)">
          <text x="0" y="30">
            {words}
          </text>
          <text x={-width / 2} y="85">
            {words}
          </text>
          <text x={width / 2} y="85">
            {words}
          </text>
        </pattern>
      </defs>
    </svg>
  )
}
