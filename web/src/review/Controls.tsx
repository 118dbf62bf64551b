import {
  Bookmark,
  ChevronDown,
  ChevronsLeft,
  ChevronsRight,
  Columns2,
  LayoutGrid,
  Maximize,
  Pause,
  Play,
  Radio,
  SkipBack,
  SkipForward,
} from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { useCan } from '../app/hub'
import type { RecordingDetail } from '../hub/types'
import { useT } from '../i18n'
import { Button, Check } from '../ui/controls'
import { Popover } from '../ui/overlay'
import { clockTime, longDuration } from '../ui/time.model'
import { rates } from './clock.model'
import type { PlayerEngine } from './engine'
import { type Staging, stagings } from './stagings.model'
import type { PlayerTile } from './tracks.model'
import { durationOf, followingOf, playingOf, rateOf, tenthOf, useView } from './useView'

interface Props {
  recording: RecordingDetail
  engine: PlayerEngine
  comparing: boolean
  onJump(step: -1 | 1): void
  onMark(): void
  onCompare(): void
  onFullScreen(): void
  /** Layout and sound, each with what hangs from its button. */
  layout: ReactNode
  mixer: ReactNode
}

export function Controls(props: Props) {
  const { recording, engine, comparing, onJump, onMark, onCompare, onFullScreen, layout, mixer } = props
  const t = useT()
  const playing = useView(engine, playingOf)
  const rate = useView(engine, rateOf)
  const following = useView(engine, followingOf)
  const may = useCan('recording.mark')
  return (
    <div className="controls" role="group" aria-label={t('room.controls')}>
      <Button
        look="ghost"
        square
        icon={<ChevronsLeft size={20} />}
        aria-label={t('player.back10')}
        title={`${t('player.back10')} J`}
        onClick={() => engine.step(-10_000)}
      />
      <Button
        look="ghost"
        square
        icon={<SkipBack size={18} />}
        aria-label={t('player.previousEvent')}
        title={`${t('player.previousEvent')} ↑`}
        onClick={() => onJump(-1)}
      />
      <Button
        look="primary"
        className="play"
        icon={playing ? <Pause size={22} /> : <Play size={22} />}
        aria-label={t(playing ? 'player.pause' : 'player.play')}
        title={`${t(playing ? 'player.pause' : 'player.play')} Space`}
        onClick={() => engine.toggle()}
        data-testid="player-play"
      />
      <Button
        look="ghost"
        square
        icon={<SkipForward size={18} />}
        aria-label={t('player.nextEvent')}
        title={`${t('player.nextEvent')} ↓`}
        onClick={() => onJump(1)}
      />
      <Button
        look="ghost"
        square
        icon={<ChevronsRight size={20} />}
        aria-label={t('player.forward10')}
        title={`${t('player.forward10')} L`}
        onClick={() => engine.step(10_000)}
      />
      <Clock recording={recording} engine={engine} />
      {recording.state === 'recording' && (
        <Button
          look={following ? 'inverse' : 'plain'}
          size="small"
          icon={<Radio size={14} />}
          aria-pressed={following}
          title={`${t('player.live')} E`}
          onClick={() => engine.follow()}
          data-testid="player-live"
        >
          {t(following ? 'player.following' : 'player.live')}
        </Button>
      )}
      <span className="grow" />
      <span className="select-box speed">
        <select
          className="select"
          aria-label={t('player.speed')}
          title={`${t('player.speed')} [ ]`}
          value={rate}
          onChange={event => engine.setRate(Number(event.target.value))}
          data-testid="player-rate"
        >
          {rates.map(one => (
            <option key={one} value={one}>
              {one}×
            </option>
          ))}
        </select>
        <ChevronDown size={14} />
      </span>
      {layout}
      {may && (
        <Button icon={<Bookmark size={16} />} hint="mark" onClick={onMark} data-testid="player-mark-add">
          {t('player.mark')}
        </Button>
      )}
      <Button
        icon={<Columns2 size={16} />}
        aria-pressed={comparing}
        title={`${t('player.compare')} X`}
        onClick={onCompare}
        data-testid="player-compare"
      >
        {t('player.compare')}
      </Button>
      {mixer}
      <Button
        look="ghost"
        square
        icon={<Maximize size={18} />}
        aria-label={t('player.fullScreen')}
        title={`${t('player.fullScreen')} F`}
        onClick={onFullScreen}
      />
    </div>
  )
}

function Clock({ recording, engine }: { recording: RecordingDetail; engine: PlayerEngine }) {
  const t = useT()
  const position = useView(engine, tenthOf)
  const length = useView(engine, durationOf)
  return (
    <>
      <span className="player-time">
        <time data-testid="player-time" data-ms={position}>
          {longDuration(position)}
        </time>
        <span> / {longDuration(length)}</span>
      </span>
      <span className="note local-time">
        {t('player.localTime', { time: clockTime(Date.parse(recording.started_at) + position) })}
      </span>
    </>
  )
}

interface LayoutProps {
  staging: Staging
  onStaging(staging: Staging): void
  tiles: PlayerTile[]
  picked: ReadonlySet<string>
  onPick(track: string): void
  words: boolean
  onWords(on: boolean): void
}

/** How pictures stand, and for a choice by hand whose. */
export function LayoutMenu({ staging, onStaging, tiles, picked, onPick, words, onWords }: LayoutProps) {
  const t = useT()
  const [open, setOpen] = useState(false)
  return (
    <Popover open={open} onOpen={setOpen}>
      <Button
        icon={<LayoutGrid size={16} />}
        aria-expanded={open}
        aria-haspopup="dialog"
        title={`${t('player.layout')} G`}
        onClick={() => setOpen(!open)}
        data-testid="player-layout"
        data-layout={staging}
      >
        {t('player.layout')}
      </Button>
      {open && (
        <div className="hanging" role="dialog" aria-label={t('player.layout')}>
          <div role="radiogroup" aria-label={t('player.layout')}>
            {stagings.map(one => (
              <label key={one}>
                <input
                  type="radio"
                  name="staging"
                  autoFocus={one === staging}
                  checked={one === staging}
                  onChange={() => onStaging(one)}
                  data-testid={`player-layout-${one}`}
                />
                {t(`player.layouts.${one}`)}
              </label>
            ))}
          </div>
          {staging === 'picked' && (
            <fieldset>
              <legend className="note">{t('player.pick')}</legend>
              {tiles.map(tile => (
                <Check key={tile.track.id} checked={picked.has(tile.track.id)} onChange={() => onPick(tile.track.id)}>
                  {tile.kind === 'screen' ? t('tile.screenOf', { name: tile.name }) : tile.name}
                </Check>
              ))}
            </fieldset>
          )}
          <Check checked={words} onChange={onWords} data-testid="player-words-on">
            {t('player.wordsOver')}
          </Check>
        </div>
      )}
    </Popover>
  )
}
