import { useState } from 'react'
import { useCommand } from '../app/command'
import { hub } from '../app/hub'
import { type Chosen, Invitees, nobody } from '../consultations/Invitees'
import { useT } from '../i18n'
import { Check, Field } from '../ui/controls'
import { ActDialog } from '../ui/overlay'
import { dateTime } from '../ui/time.model'
import { rollApi } from './api'
import type { RollCall } from './rollcalls.model'
import './rollcalls.css'

interface Props {
  /** What it is called, and who is asked, until somebody says otherwise. */
  title?: string
  invited?: Chosen
  onDone(roll: RollCall): void
  onClose(): void
}

/** Which posts are asked whether they are manned. */
export function AskDialog({ title: named, invited, onDone, onClose }: Props) {
  const t = useT()
  const [title, setTitle] = useState(() => named ?? t('roll.defaultTitle', { time: dateTime(hub.now()) }))
  const [chosen, setChosen] = useState(invited ?? nobody)
  const [below, setBelow] = useState(true)
  const [seats, setSeats] = useState(false)
  const [seconds, setSeconds] = useState('60')
  const [run, pending] = useCommand()
  const nothing = chosen.organisations.length + chosen.people.length === 0
  const bad = !(+seconds >= 1 && +seconds <= 3600)
  const ask = () =>
    void run(async () =>
      onDone(
        await rollApi.posts({
          title: title.trim(),
          organisations: chosen.organisations.map(one => one.id),
          people: chosen.people.map(one => one.id),
          of: seats ? 'both' : 'people',
          below,
          window_seconds: +seconds,
        }),
      ),
    )
  return (
    <ActDialog
      title={t('roll.ask')}
      act={t('roll.ask')}
      pending={pending && t('roll.ask')}
      refused={!title.trim() || bad ? t('roll.badSeconds') : nothing ? t('roll.chooseSome') : undefined}
      onAct={ask}
      onClose={onClose}
      className="create"
      data-act="posts-submit"
      data-testid="posts-dialog"
    >
      <div className="roll-times">
        <Field label={t('roll.titleField')} value={title} onChange={event => setTitle(event.target.value)} data-focus />
        <Field
          label={t('roll.window')}
          inputMode="numeric"
          value={seconds}
          onChange={event => setSeconds(event.target.value)}
        />
      </div>
      <Invitees chosen={chosen} onChange={setChosen} />
      <Check checked={below} onChange={setBelow}>
        {t('roll.below')}
      </Check>
      <Check checked={seats} onChange={setSeats}>
        {t('roll.alsoSeats')}
      </Check>
    </ActDialog>
  )
}
