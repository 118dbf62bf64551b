import { useState } from 'react'
import { useCommand } from '../app/command'
import { type Chosen, Invitees, nobody } from '../consultations/Invitees'
import { useT } from '../i18n'
import { ActDialog } from '../ui/overlay'
import type { Target } from './desk'

interface Props {
  title: string
  act: string
  pending: string
  /** Only one can be chosen: the last one that was. */
  one?: boolean
  without?: ReadonlySet<string>
  onAct(to: Target[]): Promise<unknown>
  onClose(): void
}

/** Whom to call, from the directory. */
export function CallDialog({ title, act, pending, one, without, onAct, onClose }: Props) {
  const t = useT()
  const [chosen, setChosen] = useState(nobody)
  const [run, running] = useCommand()
  const to: Target[] = [
    ...chosen.people.map(p => ({ person: p.id })),
    ...chosen.organisations.map(o => ({ org: o.id })),
  ]
  const choose = (next: Chosen) => setChosen(one ? lastOf(chosen, next) : next)
  const submit = async () => {
    if (await run(() => onAct(to))) onClose()
  }
  return (
    <ActDialog
      title={title}
      onClose={onClose}
      act={to.length > 1 && !one ? t('call.actMany', { count: to.length }) : act}
      pending={running && pending}
      refused={to.length === 0 && t(one ? 'call.transferOne' : 'call.nobody')}
      onAct={() => void submit()}
      data-act="call-submit"
    >
      <Invitees chosen={chosen} onChange={choose} {...(without && { without })} focus />
    </ActDialog>
  )
}

function lastOf(before: Chosen, now: Chosen): Chosen {
  const person = now.people.find(p => !before.people.some(q => q.id === p.id))
  const organisation = now.organisations.find(o => !before.organisations.some(q => q.id === o.id))
  return {
    people: person ? [person] : organisation ? [] : now.people,
    organisations: organisation ? [organisation] : person ? [] : now.organisations,
  }
}
