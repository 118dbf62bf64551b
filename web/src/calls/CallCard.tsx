import { PhoneIncoming } from 'lucide-react'
import { useEffect } from 'react'
import { createPortal } from 'react-dom'
import { useStore } from 'zustand'
import { useCommand } from '../app/command'
import { startRinging } from '../consultations/bell'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { useKeys } from '../ui/keys'
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
  // A modal dialog makes everything outside it dead: the card has to be inside.
  const host = document.querySelector('dialog[open]') ?? document.body
  return createPortal(<Card key={call.id} call={call} talking={talking} />, host)
}

function Card({ call, talking }: { call: Call; talking: boolean }) {
  const t = useT()
  const [run, pending] = useCommand()
  const answer = () => {
    for (const dialog of document.querySelectorAll('dialog')) dialog.close()
    void run(() => desk.answer(call.id))
  }
  const decline = () => void run(() => desk.decline(call.id))
  useKeys('ring', { ringAccept: answer, ringDecline: decline })
  const asked = call.parties.find(party => party.kind === 'org' || party.kind === 'seat')
  return (
    <section
      className={`ring-card call-card${call.emergency ? ' is-emergency' : ''}`}
      role="alertdialog"
      aria-label={t('call.incoming')}
      aria-live="assertive"
      data-testid="call-card"
    >
      <header>
        <PhoneIncoming size={20} />
        <span className="grow">{t(call.emergency ? 'call.incomingEmergency' : 'call.incoming')}</span>
        {asked && <span className="note">{asked.name}</span>}
      </header>
      <h2>{call.created_by.name}</h2>
      <p>{call.created_by.org_name}</p>
      {call.kind === 'conference' && <p>{t('call.conference', { count: call.parties.length })}</p>}
      {talking && <p>{t('call.waiting')}</p>}
      <div className="ring-buttons">
        <Button
          look="primary"
          size="large"
          className="grow"
          hint="ringAccept"
          pending={pending && t('call.answering')}
          onClick={answer}
          data-testid="call-answer"
        >
          {t('call.answer')}
        </Button>
        <Button size="large" hint="ringDecline" onClick={decline} data-testid="call-decline">
          {t('call.decline')}
        </Button>
      </div>
    </section>
  )
}
