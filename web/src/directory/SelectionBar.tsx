import { Phone, Radio, UserPlus, Users, Video, X } from 'lucide-react'
import { useState } from 'react'
import { useCommand } from '../app/command'
import { useCan, useHub } from '../app/hub'
import { desk } from '../calls/desk'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { type Entry, personOf, targetsOf } from './directory.model'
import { InviteInto, useRunning } from './InviteInto'
import { AddToGroup, NewGroup } from './ToGroup'

interface Props {
  chosen: readonly Entry[]
  onDrop(entry: Entry): void
  onClear(): void
}

/** What can be done with those chosen together. */
export function SelectionBar({ chosen, onDrop, onClear }: Props) {
  const t = useT()
  const mayCall = useCan('call.make')
  const mayGroup = useCan('group.edit')
  const running = useRunning()
  const [dialog, setDialog] = useState<'invite' | 'group' | 'add'>()
  const [run, pending] = useCommand()
  const me = useHub(state => state.session?.person.id)
  const to = targetsOf(chosen)
  const people = [...new Set(chosen.flatMap(entry => personOf(entry) ?? []))].filter(one => one !== me)
  const call = (video: boolean) =>
    void run(() => desk.call(to, video)).then(done => {
      if (done) onClear()
    })
  const close = () => setDialog(undefined)
  const done = () => {
    close()
    onClear()
  }
  const noPeople = people.length === 0 && t('directory.onlyPeople')
  return (
    <section
      className="book-selection"
      aria-label={t('directory.chosen', { count: chosen.length })}
      data-testid="book-selection"
    >
      <div className="chips" aria-live="polite">
        <strong>{t('directory.chosen', { count: chosen.length })}</strong>
        {chosen.slice(0, 12).map(entry => (
          <button
            type="button"
            className="chip accent"
            key={entry.id}
            aria-label={t('create.removeChosen', { name: entry.name })}
            onClick={() => onDrop(entry)}
          >
            {entry.owner?.name || entry.name} <X size={12} />
          </button>
        ))}
        <Button look="ghost" size="small" onClick={onClear}>
          {t('directory.clear')}
        </Button>
      </div>
      <div className="book-buttons">
        {mayCall && (
          <>
            <Button
              look="primary"
              icon={<Phone size={16} />}
              pending={pending && t('call.pending')}
              onClick={() => call(false)}
              data-testid="selection-call"
            >
              {t(to.length > 1 ? 'directory.conference' : 'call.act')}
            </Button>
            <Button icon={<Video size={16} />} onClick={() => call(true)} data-testid="selection-video">
              {t(to.length > 1 ? 'directory.videoConference' : 'directory.video')}
            </Button>
          </>
        )}
        {running.length > 0 && (
          <Button icon={<UserPlus size={16} />} onClick={() => setDialog('invite')} data-testid="selection-invite">
            {t('directory.invite')}
          </Button>
        )}
        {mayGroup && (
          <>
            <Button
              icon={<Radio size={16} />}
              refused={noPeople}
              onClick={() => setDialog('group')}
              data-testid="selection-group"
            >
              {t('directory.newGroup')}
            </Button>
            <Button
              icon={<Users size={16} />}
              refused={noPeople}
              onClick={() => setDialog('add')}
              data-testid="selection-add"
            >
              {t('directory.addToGroup')}
            </Button>
          </>
        )}
      </div>
      {dialog === 'invite' && <InviteInto entries={chosen} onDone={done} onClose={close} />}
      {dialog === 'group' && <NewGroup people={people} onDone={done} onClose={close} />}
      {dialog === 'add' && <AddToGroup people={people} onDone={done} onClose={close} />}
    </section>
  )
}
