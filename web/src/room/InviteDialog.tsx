import { useState } from 'react'
import { useCommand } from '../app/command'
import { hub } from '../app/hub'
import { Invitees, nobody } from '../consultations/Invitees'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { ActDialog, say } from '../ui/overlay'

export function InviteDialog({ consultation, onClose }: { consultation: Consultation; onClose(): void }) {
  const t = useT()
  const [chosen, setChosen] = useState(nobody)
  const [run, pending] = useCommand()
  const count = chosen.organisations.length + chosen.people.length
  const here = new Set(consultation.present.map(p => p.identity.split(':')[0] ?? ''))
  const submit = async () => {
    const ids = (list: { id: string }[]) => list.map(item => item.id)
    const done = await run(async () => {
      hub.learn(await hub.api.invite(consultation.id, ids(chosen.organisations), ids(chosen.people)))
    })
    if (!done) return
    say(t('invite.done'))
    onClose()
  }
  return (
    <ActDialog
      title={t('invite.title')}
      onClose={onClose}
      act={count ? t('invite.submit', { count }) : t('invite.submitNone')}
      pending={pending && t('invite.pending')}
      refused={count === 0 && t('create.who')}
      onAct={() => void submit()}
      data-act="invite-submit"
    >
      <Invitees chosen={chosen} onChange={setChosen} without={here} focus />
    </ActDialog>
  )
}
