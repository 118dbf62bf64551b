import { ArrowDown, ArrowUp } from 'lucide-react'
import { useState } from 'react'
import { useCommand } from '../app/command'
import { useHub } from '../app/hub'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { Button, Check, Field } from '../ui/controls'
import { ActDialog } from '../ui/overlay'
import { rollApi } from './api'
import { arranged, candidates, type Plan, type RollCall, unrepresented } from './rollcalls.model'

interface Props {
  consultation: Consultation
  people: { identity: string; name: string; org: string }[]
  /** Whom the agenda names: they are called whether they have come or not. */
  plan: Plan | undefined
  onBegun(roll: RollCall): void
  onClose(): void
}

/** Which roll is called, of whom, in which order, with how much time. */
export function RollStart({ consultation, people, plan, onBegun, onClose }: Props) {
  const t = useT()
  const me = useHub(state => state.session?.person.id)
  const [kind, setKind] = useState<'speak' | 'sequence'>('sequence')
  const [answer, setAnswer] = useState('20')
  const [limit, setLimit] = useState('60')
  const [run, pending] = useCommand()
  // People come while this is open: what was chosen and moved by hand stays.
  const [order, setOrder] = useState<string[]>([])
  const [said, setSaid] = useState<Record<string, boolean>>({})
  const wanted = plan ?? { organisations: consultation.organisations, people: consultation.people }
  const rows = arranged(candidates(people, wanted, me), order)
  const missing = unrepresented(rows, wanted)
  const move = (index: number, by: number) => {
    const next = rows.map(one => one.id)
    const [one] = next.splice(index, 1)
    if (one) next.splice(Math.max(0, index + by), 0, one)
    setOrder(next)
  }
  const on = (one: (typeof rows)[number]) => said[one.id] ?? (one.there || plan !== undefined)
  const chosen = rows.filter(on).map(one => one.id)
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
          {rows.map((one, index) => (
            <li key={one.id} data-testid="roll-candidate" data-there={one.there}>
              <span className="roll-number">{index + 1}</span>
              <Check checked={on(one)} onChange={yes => setSaid({ ...said, [one.id]: yes })}>
                {one.name}
              </Check>
              <small className="cut grow">{one.org}</small>
              {!one.there && <span className="chip outline">{t('roll.notHere')}</span>}
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
      {kind === 'sequence' && missing.length > 0 && (
        <p className="note" data-testid="roll-missing">
          {t('roll.nobodyOf', { names: missing.join('、') })}
        </p>
      )}
    </ActDialog>
  )
}
