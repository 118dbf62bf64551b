import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type KeyboardEvent, useRef, useState } from 'react'
import { sentence, useCommand, useSettled } from '../app/command'
import { useT } from '../i18n'
import { Empty, Marked, ProblemLine, SearchField } from '../ui/controls'
import { ActDialog } from '../ui/overlay'
import { candidates, policiesApi } from './api'
import { Counts, LayersField, ModeField } from './Policies'
import { type Candidate, type Kind, kinds, type Layers, type Mode, type Rules, wouldBe } from './policies.model'

interface Props {
  first: Kind
  rules: Rules
  onClose(): void
}

/** A policy for one room: which, then what. */
export function AddPolicy({ first, rules, onClose }: Props) {
  const t = useT()
  const client = useQueryClient()
  const [kind, setKind] = useState<Kind>(first)
  const [chosen, setChosen] = useState<Candidate>()
  const [mode, setMode] = useState<Mode | null>('always')
  const [layers, setLayers] = useState<Layers>('')
  const [run, pending] = useCommand()
  const now = useQuery({
    queryKey: ['policy', chosen?.kind, chosen?.id],
    queryFn: () => policiesApi.one(chosen?.kind ?? 'call', chosen?.id ?? ''),
    enabled: chosen !== undefined,
    gcTime: 0,
  })
  const before = chosen && now.data
  const submit = async () => {
    if (!before) return
    const done = await run(() => policiesApi.set(before, mode, layers))
    await client.invalidateQueries({ queryKey: ['policies'] })
    if (done) onClose()
    else await now.refetch()
  }
  return (
    <ActDialog
      title={t('policy.addTitle')}
      onClose={onClose}
      data-testid="policy-dialog"
      act={t('policy.save')}
      pending={pending && t('policy.saving')}
      refused={!before && t('policy.chooseFirst')}
      onAct={() => void submit()}
      data-act="policy-save"
    >
      <div className="tabs" role="tablist" aria-label={t('policy.kind')}>
        {kinds.map(one => (
          <button
            type="button"
            role="tab"
            key={one}
            aria-selected={kind === one}
            onClick={() => {
              setKind(one)
              setChosen(undefined)
            }}
            data-testid={`policy-kind-${one}`}
          >
            {t(`policy.kinds.${one}`)}
          </button>
        ))}
      </div>
      <Candidates key={kind} kind={kind} chosen={chosen?.id} onChoose={setChosen} />
      {now.error && <ProblemLine text={sentence(now.error)} />}
      <div className="policy-choice">
        <ModeField named label={t('policy.mode')} value={mode} onChange={setMode} />
        <LayersField named label={t('policy.layers')} value={layers} onChange={setLayers} />
        {before && (
          <p className="note" role="status">
            {t('policy.now')} <Counts policy={before} />
            {t('policy.later')} <Counts policy={wouldBe(rules, before, mode)} />
          </p>
        )}
        {mode === 'never' && <p className="note">{t('policy.neverBody')}</p>}
      </div>
    </ActDialog>
  )
}

interface CandidatesProps {
  kind: Kind
  chosen: string | undefined
  onChoose(one: Candidate): void
}

function Candidates({ kind, chosen, onChoose }: CandidatesProps) {
  const t = useT()
  const [q, setQ] = useState('')
  const wanted = useSettled(q.trim(), 150)
  const list = useRef<HTMLDivElement>(null)
  const query = useQuery({
    queryKey: ['candidates', kind, wanted],
    queryFn: () => candidates[kind](wanted),
    placeholderData: before => before,
  })
  const found = query.data ?? []
  const arrows = (event: KeyboardEvent<HTMLElement>) => {
    const rows = [...(list.current?.querySelectorAll<HTMLElement>('[role=option]') ?? [])]
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (!step) return
    event.preventDefault()
    rows[rows.indexOf(document.activeElement as HTMLElement) + step]?.focus()
  }
  return (
    <div className="policy-candidates" onKeyDown={arrows}>
      <SearchField label={t(`policy.find.${kind}`)} value={q} onChange={setQ} data-focus data-testid="policy-find" />
      {query.error && <ProblemLine text={sentence(query.error)} />}
      {query.data && found.length === 0 && (
        <Empty text={q ? t('common.nothingFound', { q }) : t(`policy.nothing.${kind}`)} />
      )}
      <div ref={list} role="listbox" aria-label={t(`policy.kinds.${kind}`)}>
        {found.map((one, i) => (
          <div
            key={one.id}
            role="option"
            aria-selected={one.id === chosen}
            tabIndex={one.id === chosen || (!chosen && i === 0) ? 0 : -1}
            className="candidate"
            onClick={() => onChoose(one)}
            onFocus={() => onChoose(one)}
            data-testid="policy-candidate"
            data-id={one.id}
          >
            <strong className="cut">
              <Marked text={one.title} q={wanted} />
            </strong>
            <small className="cut">{one.detail}</small>
          </div>
        ))}
      </div>
    </div>
  )
}
