import { Siren } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useStore } from 'zustand'
import { useCommand } from '../app/command'
import { useCan } from '../app/hub'
import { alarmTone } from '../consultations/bell'
import { useT } from '../i18n'
import { Button, Field } from '../ui/controls'
import { Dialog } from '../ui/overlay'
import { clockTime } from '../ui/time.model'
import { groups } from './desk'
import { type Emergency, emergenciesShown } from './groups.model'

/** Emergencies that are not over, on every page; unanswered ones sound every ten seconds. */
export function EmergencyCards() {
  const all = useStore(groups.store, state => state.emergencies)
  const shown = emergenciesShown(all)
  const unanswered = shown.some(one => one.acknowledged_at === null)
  useEffect(() => {
    if (!unanswered) return undefined
    alarmTone(1)
    const timer = setInterval(() => alarmTone(1), 10_000)
    return () => clearInterval(timer)
  }, [unanswered])
  if (shown.length === 0) return null
  return (
    <section className="emergencies" aria-live="assertive" data-testid="emergencies">
      {shown.map(one => (
        <Card key={one.id} emergency={one} />
      ))}
    </section>
  )
}

function Card({ emergency }: { emergency: Emergency }) {
  const t = useT()
  const mayCalm = useCan('group.calm')
  const [run, pending] = useCommand()
  const [calming, setCalming] = useState(false)
  const answered = emergency.acknowledged_at !== null
  return (
    <article className={`emergency${answered ? ' is-answered' : ''}`} role="alert" data-testid="emergency">
      <Siren size={20} aria-hidden />
      <div className="two grow">
        <strong className="cut">
          {t(`group.emergencyOf.${emergency.kind}`, { name: emergency.person.name, group: emergency.group_name })}
        </strong>
        <small className="cut">
          {[
            clockTime(Date.parse(emergency.at)),
            emergency.person.org_name,
            emergency.reason,
            t(answered ? 'group.answered' : 'group.unanswered'),
          ]
            .filter(Boolean)
            .join(' · ')}
        </small>
      </div>
      {mayCalm && !answered && (
        <Button
          pending={pending && t('group.acknowledging')}
          onClick={() => void run(() => groups.acknowledge(emergency.id))}
          data-testid="emergency-acknowledge"
        >
          {t('group.acknowledge')}
        </Button>
      )}
      {mayCalm && (
        <Button look="ghost" onClick={() => setCalming(true)} data-testid="emergency-cancel">
          {t('group.calm')}
        </Button>
      )}
      {calming && <Calm emergency={emergency} onClose={() => setCalming(false)} />}
    </article>
  )
}

function Calm({ emergency, onClose }: { emergency: Emergency; onClose(): void }) {
  const t = useT()
  const [reason, setReason] = useState('')
  const [run, pending] = useCommand()
  const act = async () => {
    if (await run(() => groups.calm(emergency.group_id, reason.trim()))) onClose()
  }
  return (
    <Dialog
      title={t('group.calmTitle', { group: emergency.group_name })}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button
            look="inverse"
            pending={pending && t('directory.saving')}
            refused={!reason.trim() && t('directory.reasonMissing')}
            onClick={() => void act()}
            data-testid="confirm"
          >
            {t('group.calm')}
          </Button>
        </>
      }
    >
      <Field
        label={t('directory.reason')}
        value={reason}
        maxLength={200}
        onChange={event => setReason(event.target.value)}
        data-focus
        data-testid="calm-reason"
      />
    </Dialog>
  )
}
