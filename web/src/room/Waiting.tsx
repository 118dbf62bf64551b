import { DoorClosed } from 'lucide-react'
import { useTick } from '../app/command'
import { hub } from '../app/hub'
import { navigate } from '../app/router'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { longDuration } from '../ui/time.model'
import { lead } from './control'

/** Before the door: whoever is let in goes in by himself. Nobody's name and nothing of what is said inside is here. */
export function WaitingPage({ consultation, since }: { consultation: Consultation; since: number }) {
  const t = useT()
  useTick(1000)
  const leave = () => {
    void lead(consultation)
      .giveUp()
      .catch(() => undefined)
    navigate('/consultations')
  }
  return (
    <div className="center" role="status" data-testid="waiting-page">
      <div>
        <span className="gate-icon">
          <DoorClosed size={28} />
        </span>
        <h1>{t('control.waitTitle')}</h1>
        <p>{t('control.waitBody', { title: consultation.title })}</p>
        <p className="note">{t('control.waitSince', { time: longDuration(hub.now() - since) })}</p>
        <div className="gate-buttons">
          <Button size="large" onClick={leave} data-testid="wait-leave">
            {t('control.waitLeave')}
          </Button>
        </div>
      </div>
    </div>
  )
}
