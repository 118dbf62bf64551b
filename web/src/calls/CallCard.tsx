import { PhoneIncoming } from 'lucide-react'
import { useEffect } from 'react'
import { useStore } from 'zustand'
import { useCommand } from '../app/command'
import { startRinging } from '../consultations/bell'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { RingCard } from '../ui/RingCard'
import { activeAt, type Call, ringingAt } from './calls.model'
import { desk } from './desk'

/** Who calls this terminal, wherever in the client one is; the first in line is the one the keys mean. */
export function CallCard() {
  const calls = useStore(desk.store, state => state.calls)
  const call = ringingAt(calls, desk.terminal)[0]
  const talking = activeAt(calls, desk.terminal).length > 0
  const rings = call !== undefined
  const emergency = call?.emergency ?? false
  useEffect(() => {
    if (!rings) return undefined
    return emergency ? startRinging(false, 'emergency') : startRinging(talking)
  }, [rings, talking, emergency])
  if (!call) return null
  return <Card key={call.id} call={call} talking={talking} />
}

function Card({ call, talking }: { call: Call; talking: boolean }) {
  const t = useT()
  const [run, pending] = useCommand()
  const answer = () => {
    for (const dialog of document.querySelectorAll('dialog')) dialog.close()
    void run(() => desk.answer(call.id))
  }
  const decline = () => void run(() => desk.decline(call.id))
  const asked = call.parties.find(party => party.kind === 'org' || party.kind === 'seat')
  return (
    <RingCard
      label={t(call.emergency ? 'call.incomingEmergency' : 'call.incoming')}
      icon={<PhoneIncoming size={20} />}
      beside={asked && <span className="note">{asked.name}</span>}
      title={call.created_by.name}
      accept={t('call.answer')}
      accepting={pending && t('call.answering')}
      onAccept={answer}
      data-accept="call-answer"
      keys={{ ringDecline: decline }}
      buttons={
        <Button size="large" hint="ringDecline" onClick={decline} data-testid="call-decline">
          {t('call.decline')}
        </Button>
      }
      className={`call-card${call.emergency ? ' is-emergency' : ''}`}
      data-testid="call-card"
    >
      <p>{call.created_by.org_name}</p>
      {call.kind === 'conference' && <p>{t('call.conference', { count: call.parties.length })}</p>}
      {talking && <p>{t('call.waiting')}</p>}
    </RingCard>
  )
}
