import { useState } from 'react'
import { useStore } from 'zustand'
import { useCommand } from '../app/command'
import { useHub } from '../app/hub'
import { Invitees, nobody } from '../consultations/Invitees'
import { useT } from '../i18n'
import { Field } from '../ui/controls'
import { ActDialog } from '../ui/overlay'
import { api, type NewGroup } from './api'
import { groups } from './desk'
import { ordered } from './groups.model'

type Making = 'temporary' | 'broadcast' | 'patched'

/** A group for now, one to speak to many, or several joined. */
export function NewDialog({ onClose }: { onClose(): void }) {
  const t = useT()
  const me = useHub(state => state.session?.person.id ?? '')
  const all = useStore(groups.store, state => state.groups)
  const [kind, setKind] = useState<Making>('temporary')
  const [name, setName] = useState('')
  const [chosen, setChosen] = useState(nobody)
  const [joined, setJoined] = useState<string[]>([])
  const [run, pending] = useCommand()
  const people = chosen.people.map(one => one.id)
  const lacks = !name.trim()
    ? t('directory.nameMissing')
    : kind === 'patched'
      ? joined.length < 2 && t('group.patchTwo')
      : people.length === 0 && t('directory.onlyPeople')
  const act = async () => {
    const wanted: NewGroup = { name: name.trim(), kind }
    if (kind === 'patched') wanted.groups = joined
    else if (kind === 'broadcast') Object.assign(wanted, { members: [me], listeners: people.filter(one => one !== me) })
    else wanted.members = [...new Set([me, ...people])]
    if (await run(async () => groups.made(await api.make(wanted)))) onClose()
  }
  const joinable = ordered(all).filter(one => one.kind !== 'patched' && one.kind !== 'broadcast')
  return (
    <ActDialog
      className="wide"
      title={t('group.new')}
      act={t(`group.make.${kind}`)}
      pending={pending && t('directory.saving')}
      refused={lacks}
      onAct={() => void act()}
      onClose={onClose}
      data-act="group-make"
    >
      <div className="tabs" role="tablist" aria-label={t('group.new')}>
        {(['temporary', 'broadcast', 'patched'] as const).map(one => (
          <button
            type="button"
            role="tab"
            key={one}
            aria-selected={kind === one}
            onClick={() => setKind(one)}
            data-testid={`make-${one}`}
          >
            {t(`group.kind.${one}`)}
          </button>
        ))}
      </div>
      <p className="note">{t(`group.about.${kind}`)}</p>
      <Field
        label={t('directory.groupName')}
        value={name}
        maxLength={60}
        onChange={event => setName(event.target.value)}
        data-focus
        data-testid="group-name"
      />
      {kind === 'patched' ? (
        <div className="choices" role="group" aria-label={t('group.joins')}>
          {joinable.map(one => (
            <label key={one.id} className="choice">
              <input
                type="checkbox"
                checked={joined.includes(one.id)}
                onChange={event =>
                  setJoined(event.target.checked ? [...joined, one.id] : joined.filter(id => id !== one.id))
                }
              />
              <span className="cut grow">{one.name}</span>
              <small className="note">{t(`group.kind.${one.kind}`)}</small>
            </label>
          ))}
        </div>
      ) : (
        <Invitees chosen={chosen} onChange={next => setChosen({ ...next, organisations: [] })} />
      )}
    </ActDialog>
  )
}
