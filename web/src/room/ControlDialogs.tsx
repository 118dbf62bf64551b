import type { Track } from 'livekit-client'
import { useState } from 'react'
import { useCommand } from '../app/command'
import { hub } from '../app/hub'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { Button, Check, Field } from '../ui/controls'
import { ActDialog } from '../ui/overlay'
import { clockTime } from '../ui/time.model'
import { lead } from './control'
import { controlOf, minutesLeft, personOf } from './control.model'
import type { Member } from './tiles.model'

interface Props {
  consultation: Consultation
  onClose(): void
}

export function MuteAllDialog({ consultation, onClose }: Props) {
  const t = useT()
  const [run, pending] = useCommand()
  const [unmute, setUnmute] = useState(true)
  const act = () =>
    void run(() => lead(consultation).mute(unmute)).then(done => {
      if (done) onClose()
    })
  return (
    <ActDialog
      title={t('control.muteAll')}
      act={t('control.muteAllAct')}
      pending={pending && t('control.muteAllAct')}
      onAct={act}
      onClose={onClose}
      data-act="mute-all-act"
      data-testid="mute-all-dialog"
    >
      <p>{t('control.muteAllBody')}</p>
      <Check checked={unmute} onChange={setUnmute}>
        {t('control.mayUnmute')}
      </Check>
      <p className="note">{t(unmute ? 'control.mayUnmuteHint' : 'control.mayNotUnmuteHint')}</p>
    </ActDialog>
  )
}

const steps = [5, 10, 15, 30, 60]

/** When it is to end: so many minutes from now; of a planned end so many more. */
export function EndDialog({ consultation, onClose }: Props) {
  const t = useT()
  const [run, pending] = useCommand()
  const [minutes, setMinutes] = useState(15)
  const control = controlOf(consultation)
  const left = minutesLeft(control, hub.now())
  const now = hub.now()
  const base = left !== undefined && left > 0 ? Date.parse(control.ends_at ?? '') : now
  const end = base + minutes * 60_000
  const act = () =>
    void run(() =>
      left === undefined ? lead(consultation).planEnd(new Date(end).toISOString()) : lead(consultation).extend(minutes),
    ).then(done => {
      if (done) onClose()
    })
  const remove = () =>
    void run(() => lead(consultation).planEnd(null)).then(done => {
      if (done) onClose()
    })
  return (
    <ActDialog
      title={t(left === undefined ? 'control.setEnd' : 'control.extend')}
      act={t(left === undefined ? 'control.setEndAct' : 'control.extendAct', { minutes })}
      pending={pending && t('control.extend')}
      onAct={act}
      onClose={onClose}
      also={left !== undefined && <Button onClick={remove}>{t('control.removeEnd')}</Button>}
      data-act="extend-act"
      data-testid="extend-dialog"
    >
      <div className="tabs" role="group" aria-label={t('control.minutes')}>
        {steps.map((step, index) => (
          <button
            type="button"
            key={step}
            aria-pressed={step === minutes}
            data-focus={index === 2 ? '' : undefined}
            onClick={() => setMinutes(step)}
          >
            {t('control.minutesCount', { count: step })}
          </button>
        ))}
      </div>
      <p>{t('control.endWillBe', { time: clockTime(end) })}</p>
      <p className="note">{t('control.endHint')}</p>
    </ActDialog>
  )
}

export function SideDialog({ consultation, members, onClose }: Props & { members: Member<Track>[] }) {
  const t = useT()
  const [run, pending] = useCommand()
  const [title, setTitle] = useState('')
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const [listen, setListen] = useState(false)
  const taken = new Set(controlOf(consultation).sides.flatMap(side => side.people))
  const people = [
    ...new Map(
      members.filter(member => member.kind === 'person').map(member => [personOf(member.identity), member] as const),
    ),
  ].filter(([person]) => !taken.has(person))
  const toggle = (person: string, on: boolean) => {
    const next = new Set(chosen)
    if (on) next.add(person)
    else next.delete(person)
    setChosen(next)
  }
  const act = () =>
    void run(() => lead(consultation).side(title.trim() || t('control.side'), [...chosen], listen)).then(done => {
      if (done) onClose()
    })
  return (
    <ActDialog
      title={t('control.sideNew')}
      act={t('control.sideAct', { count: chosen.size })}
      pending={pending && t('control.sideNew')}
      refused={chosen.size < 2 && t('control.sideTwo')}
      onAct={act}
      onClose={onClose}
      data-act="side-act"
      data-testid="side-dialog"
    >
      <Field
        label={t('control.sideTitle')}
        value={title}
        maxLength={100}
        data-focus
        onChange={event => setTitle(event.target.value)}
      />
      <div className="control-people">
        {people.map(([person, member]) => (
          <Check key={person} checked={chosen.has(person)} onChange={on => toggle(person, on)}>
            {member.name} <small className="note">{member.org}</small>
          </Check>
        ))}
      </div>
      <Check checked={listen} onChange={setListen}>
        {t('control.sideListen')}
      </Check>
      <p className="note">{t('control.sideHint')}</p>
    </ActDialog>
  )
}
