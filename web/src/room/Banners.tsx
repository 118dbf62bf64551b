import { Volume2, WifiOff } from 'lucide-react'
import { useRef } from 'react'
import { useTick } from '../app/command'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { clockTime } from '../ui/time.model'
import { isNote } from './chat.model'
import type { Phase, RoomView } from './connection'

interface LostProps {
  phase: Phase
  /** Since when pictures stand still; none while media goes on without its signalling. */
  stopped: (number | undefined)[]
  onRetry(): void
}

export function LostBanner({ phase, stopped, onRetry }: LostProps) {
  const t = useT()
  useTick(500, phase.at === 'lost')
  const now = Date.now()
  if (phase.at !== 'lost' || now - phase.since < 1000) return null
  const since = stopped.filter(at => at !== undefined)
  const seconds = phase.nextAt === undefined ? 0 : Math.ceil((phase.nextAt - now) / 1000)
  return (
    <div className="banner" role="alert" data-testid="lost-banner">
      <WifiOff size={20} />
      <strong>{t('offline.title', { seconds: Math.floor((now - phase.since) / 1000) })}</strong>
      <span>
        {seconds > 0
          ? t('offline.attempt', { attempt: phase.attempt, seconds })
          : t('offline.trying', { attempt: phase.attempt })}{' '}
        {since.length ? t('offline.stopped', { time: clockTime(Math.min(...since)) }) : t('offline.going')}
      </span>
      <Button size="small" onClick={onRetry}>
        {t('offline.retry')}
      </Button>
    </div>
  )
}

export function SoundBar({ onStart }: { onStart(): void }) {
  const t = useT()
  return (
    <div className="banner" role="alert">
      <Volume2 size={20} />
      <span>{t('room.startAudioHint')}</span>
      <Button size="small" onClick={onStart} data-testid="start-audio">
        {t('room.startAudio')}
      </Button>
    </div>
  )
}

/** The latest thing that happened, for screen readers. */
export function News({ view }: { view: RoomView }) {
  const t = useT()
  const last = view.chat.at(-1)
  const first = useRef(last?.id)
  if (!last || last.id === first.current) return <div className="sr" aria-live="polite" />
  const words = isNote(last)
    ? t(`chat.${last.note}`, { name: last.name })
    : last.mine
      ? ''
      : `${last.name} ${last.text}`
  return (
    <div className="sr" aria-live="polite">
      {words}
    </div>
  )
}
