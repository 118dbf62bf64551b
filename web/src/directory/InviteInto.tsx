import { useState } from 'react'
import { useCommand } from '../app/command'
import { hub, useHub } from '../app/hub'
import { isIn, liveList } from '../hub/state'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { ActDialog, say } from '../ui/overlay'
import { type Entry, personOf } from './directory.model'

/** Consultations that go on and into which this person may invite: those he is in first. */
export function useRunning(): Consultation[] {
  const all = useHub(state => state.consultations)
  const me = useHub(state => state.session?.person.id ?? '')
  const may = hub.can('consultation.invite')
  if (!may) return []
  const open = liveList(all).filter(one => one.may?.includes('invite') ?? true)
  return open.sort((a, b) => Number(isIn(b, me)) - Number(isIn(a, me)))
}

interface Props {
  entries: readonly Entry[]
  onDone(): void
  onClose(): void
}

/** Which of them, when there are several; then they ring. */
export function InviteInto({ entries, onDone, onClose }: Props) {
  const t = useT()
  const running = useRunning()
  const [into, setInto] = useState(running[0]?.id)
  const [run, pending] = useCommand()
  const organisations = entries.filter(one => one.kind === 'organisation').map(one => one.id)
  const people = [...new Set(entries.flatMap(one => personOf(one) ?? []))]
  const act = async () => {
    const chosen = running.find(one => one.id === into)
    if (!chosen) return
    if (!(await run(async () => void hub.learn(await hub.api.invite(chosen.id, organisations, people))))) return
    say(t('directory.invited', { title: chosen.title }))
    onDone()
  }
  return (
    <ActDialog
      title={t('directory.inviteTitle')}
      act={t('directory.invite')}
      pending={pending && t('call.pending')}
      refused={
        organisations.length + people.length === 0 ? t('directory.onlyPeople') : !into && t('directory.noConsultation')
      }
      onAct={() => void act()}
      onClose={onClose}
      data-act="invite-submit"
    >
      <div role="radiogroup" aria-label={t('directory.inviteTitle')} className="choices">
        {running.map(one => (
          <label key={one.id} className="choice">
            <input type="radio" name="consultation" checked={one.id === into} onChange={() => setInto(one.id)} />
            <span className="cut grow">{one.title}</span>
            <small className="note">{one.code}</small>
          </label>
        ))}
      </div>
    </ActDialog>
  )
}
