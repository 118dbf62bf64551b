import { useState } from 'react'
import { useCommand } from '../app/command'
import { hub } from '../app/hub'
import { useT } from '../i18n'
import { Check, Field } from '../ui/controls'
import { ActDialog } from '../ui/overlay'
import {
  type Allowed,
  above,
  type ForcedVerb,
  type Grounds,
  grounds,
  type Line,
  named,
  type Order,
  said,
} from './dispatch.model'

interface Props {
  verb: ForcedVerb
  target: { id: string; name: string }
  line: Line | null
  /** Of a group: this member is meant, not all of it. */
  one: boolean
  allowed: Allowed['verbs'][number]
  onOrder(order: Omit<Order, 'person'>): Promise<void>
  onClose(): void
}

/** Asks why, and says who is told, before anything is done. */
export function OrderDialog({ verb, target, line, one, allowed, onOrder, onClose }: Props) {
  const t = useT()
  const [reason, setReason] = useState('')
  const [silent, setSilent] = useState(false)
  const [ground, setGround] = useState<Grounds>('security')
  const least = above(line)
  const mayEmergency = verb === 'preempt' && allowed.emergency
  const [emergency, setEmergency] = useState(mayEmergency && (least === undefined || !hub.can('call.priority')))
  const [run, pending] = useCommand()
  const parts = verb === 'release' && line?.kind === 'group'
  const [only, setOnly] = useState(one)
  const words = said(verb, line?.kind, only)
  const told = named(allowed.told)
  const submit = async () => {
    const order = {
      reason: reason.trim(),
      ...(parts && only && { only }),
      ...(silent && { silent, grounds: ground }),
      ...(verb === 'preempt' && { emergency, priority: emergency ? 9 : (least ?? 9) }),
    }
    if (await run(() => onOrder(order))) onClose()
  }
  return (
    <ActDialog
      title={t(`dispatch.title.${words}`, { name: target.name, group: line?.title ?? '' })}
      onClose={onClose}
      act={t(words === 'putOut' ? 'dispatch.putOut' : `dispatch.verb.${verb}`)}
      pending={pending && t('dispatch.pending')}
      refused={reason.trim().length < 2 && t('dispatch.reasonNeeded')}
      onAct={() => void submit()}
      data-act="dispatch-submit"
      data-testid="dispatch-dialog"
    >
      <p>{t(`dispatch.meaning.${words}`, { name: target.name, count: line?.people.length ?? 0 })}</p>
      <Field
        label={t('dispatch.reason')}
        value={reason}
        maxLength={200}
        placeholder={t('dispatch.reasonHint')}
        onChange={event => setReason(event.target.value)}
        onKeyDown={event => {
          if (event.key === 'Enter' && reason.trim().length >= 2) void submit()
        }}
        data-focus
        data-testid="dispatch-reason"
      />
      {parts && (
        <Check checked={only} onChange={setOnly} data-testid="dispatch-only">
          {t('dispatch.only', { name: target.name })}
        </Check>
      )}
      {mayEmergency && (
        <Check checked={emergency} onChange={setEmergency} data-testid="dispatch-emergency">
          {t('dispatch.emergency')}
        </Check>
      )}
      {verb === 'preempt' && !emergency && least !== undefined && (
        <p className="note">{t('dispatch.priority', { priority: least })}</p>
      )}
      {allowed.silent && (
        <Check checked={silent} onChange={setSilent} data-testid="dispatch-silent">
          {t('dispatch.silent')}
        </Check>
      )}
      {silent && (
        <label className="field">
          <span>{t('dispatch.grounds')}</span>
          <select value={ground} onChange={event => setGround(event.target.value as Grounds)}>
            {grounds.map(one => (
              <option key={one} value={one}>
                {t(`dispatch.ground.${one}`)}
              </option>
            ))}
          </select>
        </label>
      )}
      <p className="note" data-testid="dispatch-told">
        {silent
          ? t('dispatch.toldNobody')
          : t(told.more ? 'dispatch.toldMany' : 'dispatch.toldThem', { names: told.names, count: told.count })}
      </p>
    </ActDialog>
  )
}
