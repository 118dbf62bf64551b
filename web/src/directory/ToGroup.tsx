import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { sentence, useCommand } from '../app/command'
import { useHub } from '../app/hub'
import { api } from '../groups/api'
import { groups } from '../groups/desk'
import { useT } from '../i18n'
import { Empty, Field, ProblemLine, Skeleton } from '../ui/controls'
import { ActDialog, say } from '../ui/overlay'

interface Props {
  people: readonly string[]
  onDone(): void
  onClose(): void
}

/** A temporary group of these and of whoever makes it; they listen from then on. */
export function NewGroup({ people, onDone, onClose }: Props) {
  const t = useT()
  const me = useHub(state => state.session?.person.id ?? '')
  const [name, setName] = useState('')
  const [run, pending] = useCommand()
  const act = async () => {
    const members = [...new Set([me, ...people])]
    if (!(await run(async () => groups.made(await api.make({ name: name.trim(), kind: 'temporary', members }))))) return
    say(t('directory.groupMade', { name: name.trim() }))
    onDone()
  }
  return (
    <ActDialog
      title={t('directory.newGroupTitle', { count: people.length })}
      act={t('directory.newGroup')}
      pending={pending && t('directory.saving')}
      refused={!name.trim() && t('directory.nameMissing')}
      onAct={() => void act()}
      onClose={onClose}
      data-act="group-submit"
    >
      <Field
        label={t('directory.groupName')}
        value={name}
        maxLength={60}
        onChange={event => setName(event.target.value)}
        data-focus
        data-testid="group-name"
      />
    </ActDialog>
  )
}

export function AddToGroup({ people, onDone, onClose }: Props) {
  const t = useT()
  const [into, setInto] = useState<string>()
  const [run, pending] = useCommand()
  const all = useQuery({ queryKey: ['groups', 'all'], queryFn: api.list })
  const open = (all.data?.items ?? []).filter(one => one.kind !== 'patched' && one.kind !== 'dynamic')
  const act = async () => {
    const chosen = open.find(one => one.id === into)
    if (!chosen) return
    const add = async () => {
      const whole = await api.one(chosen.id)
      const members = whole.members.filter(one => one.talks).map(one => one.id)
      groups.made(await api.change(whole.id, whole.rev, { members: [...new Set([...members, ...people])] }))
    }
    if (!(await run(add))) return
    say(t('directory.addedToGroup', { name: chosen.name }))
    onDone()
  }
  return (
    <ActDialog
      title={t('directory.addToGroup')}
      act={t('call.add')}
      pending={pending && t('directory.saving')}
      refused={!into && t('directory.groupMissing')}
      onAct={() => void act()}
      onClose={onClose}
      data-act="add-submit"
    >
      {all.error && <ProblemLine text={sentence(all.error)} />}
      {all.isPending && <Skeleton lines={3} />}
      {all.data && open.length === 0 && <Empty text={t('group.none')} />}
      <div role="radiogroup" aria-label={t('directory.addToGroup')} className="choices">
        {open.map(one => (
          <label key={one.id} className="choice">
            <input type="radio" name="group" checked={one.id === into} onChange={() => setInto(one.id)} />
            <span className="cut grow">{one.name}</span>
            <small className="note">{t(`group.kind.${one.kind}`)}</small>
          </label>
        ))}
      </div>
    </ActDialog>
  )
}
