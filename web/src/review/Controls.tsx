import {
  ChevronDown,
  ChevronsLeft,
  ChevronsRight,
  Maximize,
  Pause,
  Play,
  SkipBack,
  SkipForward,
  Volume2,
  VolumeX,
} from 'lucide-react'
import type { RecordingDetail } from '../hub/types'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { clockTime, longDuration } from '../ui/time.model'
import { rates } from './clock.model'
import type { PlayerEngine, PlayerView } from './engine'

interface Props {
  recording: RecordingDetail
  engine: PlayerEngine
  view: PlayerView
  soundOff: boolean
  onSound(): void
  onJump(step: -1 | 1): void
  onFullScreen(): void
}

export function Controls({ recording, engine, view, soundOff, onSound, onJump, onFullScreen }: Props) {
  const t = useT()
  const began = Date.parse(recording.started_at)
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
        icon={view.playing ? <Pause size={22} /> : <Play size={22} />}
        aria-label={t(view.playing ? 'player.pause' : 'player.play')}
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
      <span className="player-time">
        <time data-testid="player-time" data-ms={Math.round(view.position)}>
          {longDuration(view.position)}
        </time>
        <span> / {longDuration(engine.duration)}</span>
      </span>
      <span className="note">{t('player.localTime', { time: clockTime(began + view.position) })}</span>
      <span className="grow" />
      <span className="select-box speed">
        <select
          className="select"
          aria-label={t('player.speed')}
          value={view.rate}
          onChange={event => engine.setRate(Number(event.target.value))}
          data-testid="player-rate"
        >
          {rates.map(rate => (
            <option key={rate} value={rate}>
              {rate}×
            </option>
          ))}
        </select>
        <ChevronDown size={14} />
      </span>
      <Button
        look="ghost"
        square
        icon={soundOff ? <VolumeX size={18} /> : <Volume2 size={18} />}
        aria-label={t(soundOff ? 'player.unmute' : 'player.mute')}
        aria-pressed={soundOff}
        onClick={onSound}
      />
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
