import { CircleX, LogIn } from 'lucide-react'
import type { ReactNode } from 'react'
import { navigate } from '../app/router'
import { Clock, Mark } from '../app/Shell'
import { type Key, useT } from '../i18n'
import { Button } from '../ui/controls'
import type { Phase } from './connection'

/** The room before and after: the bar with its name, and one thing in the middle. */
export function Frame({ title, children }: { title?: string; children: ReactNode }) {
  return (
    <div className="room bare">
      <header className="topbar room-top">
        <Mark />
        <h1 className="cut">{title}</h1>
        <span className="grow" />
        <Clock />
      </header>
      <main>{children}</main>
    </div>
  )
}

const outTitles: Record<Extract<Phase, { at: 'out' }>['why'], Key> = {
  left: 'room.ended',
  ended: 'room.ended',
  removed: 'room.removed',
  duplicate: 'room.duplicate',
  refused: 'room.refused',
  failed: 'room.failed',
}
const outHints: Partial<Record<Extract<Phase, { at: 'out' }>['why'], Key>> = {
  ended: 'room.endedHint',
  removed: 'room.removedHint',
  duplicate: 'room.duplicateHint',
  failed: 'room.failedHint',
}

export function Out({
  why,
  words,
  onAgain,
}: {
  why: Extract<Phase, { at: 'out' }>['why']
  words: string
  onAgain?: () => void
}) {
  const t = useT()
  const hint = outHints[why]
  return (
    <div className="center" role="alert" data-testid="room-out" data-why={why}>
      <div>
        <span className="gate-icon">
          <CircleX size={28} />
        </span>
        <h1>{t(outTitles[why])}</h1>
        <p>{hint ? t(hint) : words}</p>
        <div className="gate-buttons">
          {onAgain && (why === 'failed' || why === 'duplicate') && (
            <Button look="primary" size="large" icon={<LogIn size={18} />} onClick={onAgain} data-testid="rejoin">
              {t('room.rejoin')}
            </Button>
          )}
          <Button size="large" onClick={() => navigate('/consultations')}>
            {t('app.backToList')}
          </Button>
        </div>
        {why === 'failed' && (
          <details>
            <summary>{t('common.forTechnicians')}</summary>
            <code>{words}</code>
          </details>
        )}
      </div>
    </div>
  )
}
