import type { Track } from 'livekit-client'
import { Cctv, Mic, MicOff, Monitor, ScreenShare, Snowflake, Unplug } from 'lucide-react'
import { type CSSProperties, useState } from 'react'
import { useT } from '../i18n'
import { Avatar, Bars, useLate } from '../ui/controls'
import { clockTime } from '../ui/time.model'
import { Picture } from './Picture'
import type { Tile } from './tiles.model'
import '../ui/tile.css'

interface Props {
  tile: Tile<Track>
  style?: CSSProperties
  pinned?: boolean
  /** The connection is lost: a picture that stands still is told sooner. */
  lost: boolean
  /** Since when (our clock, ms) no frame has come. */
  onFrozen(id: string, since: number | undefined): void
  onPin(): void
  index: number
}

export function TileView({ tile, style, pinned, lost, onFrozen, onPin, index }: Props) {
  const t = useT()
  const [frozen, setFrozen] = useState<number>()
  const [drawn, setDrawn] = useState<Track>()
  const since = tile.local ? undefined : (tile.staleSince ?? frozen)
  const speaking = tile.speakingSince !== undefined && since === undefined
  const marks = [speaking && 'speaking', pinned && 'pinned', since !== undefined && 'frozen', tile.picture]
  const name = tile.kind === 'screen' ? t('tile.screenOf', { name: tile.name }) : tile.name
  const watch = tile.kind !== 'screen' && !tile.local && tile.picture === 'live'
  // Published and on its way, but there is nothing to see yet.
  const awaited = tile.picture === 'live' && !tile.local && drawn !== tile.track
  const tell = (at: number | undefined) => {
    setFrozen(at)
    onFrozen(tile.id, at)
  }
  const ownScreen = tile.kind === 'screen' && tile.local
  return (
    <div
      className={`tile ${marks.filter(Boolean).join(' ')}`}
      style={style}
      tabIndex={0}
      role="button"
      aria-pressed={pinned ?? false}
      aria-label={`${name} ${tile.org} ${speaking ? t('tile.speaking') : ''}`}
      title={t(pinned ? 'tile.unmain' : 'tile.main')}
      data-testid="tile"
      data-identity={tile.identity}
      data-kind={tile.kind}
      data-local={tile.local}
      data-picture={awaited ? 'opening' : tile.picture}
      data-index={index}
      onDoubleClick={onPin}
      onKeyDown={event => {
        if (event.key !== 'Enter' || event.altKey) return
        event.preventDefault()
        onPin()
      }}
    >
      {tile.track && !ownScreen && (
        <Picture
          track={tile.track}
          fit={tile.fit}
          mirrored={tile.local && tile.kind === 'person'}
          onFrame={() => setDrawn(tile.track)}
          stale={tile.staleSince !== undefined}
          patience={lost ? 1500 : 5000}
          {...(watch && { onFrozen: tell })}
        />
      )}
      {ownScreen && <Middle icon={<ScreenShare size={32} />} text={t('tile.share')} />}
      {tile.picture === 'none' && <Avatar name={tile.name} />}
      {(tile.picture === 'opening' || awaited) && <Opening />}
      {tile.picture === 'failed' && <Middle icon={<Unplug size={28} />} text={t('tile.failed')} note={tile.reason} />}
      <Badges tile={tile} since={since} />
      <Label tile={tile} name={name} speaking={speaking} />
    </div>
  )
}

function Opening() {
  const t = useT()
  const late = useLate(true, 300)
  return late ? <Middle icon={<span className="spin big" />} text={t('tile.opening')} /> : null
}

function Middle({ icon, text, note }: { icon: React.ReactNode; text: string; note?: string | null }) {
  return (
    <div className="tile-middle">
      {icon}
      <span>{text}</span>
      {note && <small>{note}</small>}
    </div>
  )
}

/** A camera burns its clock in at the top left: its badges stand at the right. */
function Badges({ tile, since }: { tile: Tile<Track>; since: number | undefined }) {
  const t = useT()
  const poor = tile.kind !== 'camera' && (tile.quality === 'poor' || tile.quality === 'lost')
  if (since === undefined && !poor) return null
  return (
    <div className={`tile-badges${tile.kind === 'camera' ? ' right' : ''}`}>
      {since !== undefined && (
        <span className="badge">
          <Snowflake size={13} /> {t('tile.frozen', { time: clockTime(since) })}
        </span>
      )}
      {since === undefined && poor && (
        <span className="badge">
          <Bars quality={tile.quality} /> {t(tile.quality === 'poor' ? 'tile.poor' : 'tile.lostNetwork')}
        </span>
      )}
    </div>
  )
}

function Label({ tile, name, speaking }: { tile: Tile<Track>; name: string; speaking: boolean }) {
  const t = useT()
  return (
    <span className="tile-label">
      <StateIcon tile={tile} speaking={speaking} />
      <strong className="cut">
        {name}
        {tile.local && t('common.me')}
      </strong>
      <span className="cut org">{tile.org}</span>
      <Bars quality={tile.quality} camera={tile.kind === 'camera'} />
    </span>
  )
}

function StateIcon({ tile, speaking }: { tile: Tile<Track>; speaking: boolean }) {
  const t = useT()
  if (tile.kind === 'camera') return <Cctv size={14} aria-label={t('tile.cameraKind')} />
  if (tile.kind === 'screen') return <Monitor size={14} aria-hidden />
  if (speaking) return <SpeakingBars />
  if (tile.mic === 'on') return <Mic size={14} aria-label={t('tile.micOn')} />
  return <MicOff size={14} aria-label={t('tile.muted')} />
}

export function SpeakingBars() {
  const t = useT()
  return (
    <span className="speaking-bars" role="img" aria-label={t('tile.speaking')}>
      <i />
      <i />
      <i />
    </span>
  )
}
