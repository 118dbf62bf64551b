import { ArrowDown, ArrowUp } from 'lucide-react'
import { useState } from 'react'
import { useCommand } from '../app/command'
import { useHub } from '../app/hub'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { Button, Check, Field } from '../ui/controls'
import { ActDialog } from '../ui/overlay'
import { rollApi } from './api'
import type { RollCall } from './rollcalls.model'

interface Props {
  consultation: Consultation
  people: { identity: string; name: string }[]
  onBegun(roll: RollCall): void
  onClose(): void
}

/** Which roll is called, of whom, in which order, with how much time. */
export function RollStart({ consultation, people, onBegun, onClose }: Props) {
  const t = useT()
  const me = useHub(state => state.session?.person.id)
  const [kind, setKind] = useState<'speak' | 'sequence'>('sequence')
  const [answer, setAnswer] = useState('20')
  const [limit, setLimit] = useState('60')
  const [run, pending] = useCommand()
  const [order, setOrder] = useState(() => {
    const found = new Map(people.map(one => [one.identity.split(':')[0] ?? '', one.name]))
    if (me) found.delete(me)
    return [...found].map(([id, name]) => ({ id, name, on: true }))
  })
  const move = (index: number, by: number) =>
    setOrder(now => {
      const next = [...now]
      const [one] = next.splice(index, 1)
      if (one) next.splice(Math.max(0, index + by), 0, one)
      return next
    })
  const chosen = order.filter(one => one.on).map(one => one.id)
  const begin = () =>
    void run(async () => {
      const body = { kind, people: kind === 'sequence' ? chosen : [], answer_seconds: +answer, limit_seconds: +limit }
      onBegun(await rollApi.begin(consultation.id, body))
      onClose()
    })
  const seconds = (text: string) => text !== '' && Number.isFinite(+text) && +text >= 0 && +text <= 3600
  const refused =
    !seconds(answer) || !seconds(limit)
      ? t('roll.badSeconds')
      : kind === 'sequence' && chosen.length === 0
        ? t('roll.nobodyThere')
        : undefined
  return (
    <ActDialog
      title={t('roll.title')}
      act={t('roll.begin')}
      pending={pending && t('roll.beginning')}
      refused={refused}
      onAct={begin}
      onClose={onClose}
      data-act="roll-begin"
      data-testid="roll-start"
    >
      <div className="tabs" role="group" aria-label={t('roll.kind')}>
        {(['sequence', 'speak'] as const).map(one => (
          <button
            type="button"
            key={one}
            aria-pressed={kind === one}
            onClick={() => setKind(one)}
            data-testid={`roll-${one}`}
          >
            {t(`roll.${one}`)}
          </button>
        ))}
      </div>
      <p className="note">{t(`roll.${kind}Hint`)}</p>
      <div className="roll-times">
        <Field
          label={t('roll.answerSeconds')}
          inputMode="numeric"
          value={answer}
          onChange={event => setAnswer(event.target.value)}
        />
        <Field
          label={t('roll.limitSeconds')}
          inputMode="numeric"
          value={limit}
          onChange={event => setLimit(event.target.value)}
        />
      </div>
      {kind === 'sequence' && (
        <ol className="roll-order" aria-label={t('roll.order')}>
          {order.map((one, index) => (
            <li key={one.id}>
              <span className="roll-number">{index + 1}</span>
              <Check
                checked={one.on}
                onChange={on => setOrder(now => now.map(other => (other.id === one.id ? { ...other, on } : other)))}
              >
                {one.name}
              </Check>
              <span className="grow" />
              <Button
                size="small"
                square
                look="ghost"
                icon={<ArrowUp size={16} />}
                aria-label={t('roll.up', { name: one.name })}
                onClick={() => move(index, -1)}
              />
              <Button
                size="small"
                square
                look="ghost"
                icon={<ArrowDown size={16} />}
                aria-label={t('roll.down', { name: one.name })}
                onClick={() => move(index, 1)}
              />
            </li>
          ))}
        </ol>
      )}
    </ActDialog>
  )
}
