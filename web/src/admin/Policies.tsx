import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Cctv, ChevronDown, Phone, Plus, Radio, Undo2, Users } from 'lucide-react'
import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react'
import { sentence, useCommand } from '../app/command'
import { hub, useHub } from '../app/hub'
import { useT } from '../i18n'
import { useRecorded } from '../recorded/desk'
import { Button, Empty, Marked, ProblemLine, RecordingChip, SearchField, Skeleton, useLate } from '../ui/controls'
import { toNextRow, useKeys } from '../ui/keys'
import { Confirm } from '../ui/overlay'
import { AddPolicy } from './AddPolicy'
import { AdminTabs } from './AdminTabs'
import { policiesApi } from './api'
import { PolicySide } from './PolicySide'
import { grave, type Kind, kinds, type Layers, layers, type Mode, modes, type Policy, shown } from './policies.model'
import './policies.css'

const icons = { consultation: Users, call: Phone, group: Radio, camera: Cctv }

/** What is recorded, whoever wants it or not: rooms with a policy of their own, and the rules of all others. */
export default function Policies() {
  const t = useT()
  const [kind, setKind] = useState<Kind | ''>('')
  const [q, setQ] = useState('')
  const [adding, setAdding] = useState(false)
  const box = useRef<HTMLInputElement>(null)
  const query = usePolicies()
  const slow = useLate(query.isPending, 300)
  useKeys('consultations', { search: () => box.current?.focus() })
  const items = shown(query.data?.items ?? [], kind, q)
  return (
    <div className="policies" data-testid="policies">
      <section className="list-side">
        <AdminTabs here="/admin/recording" />
        <header className="list-head">
          <h1>{t('policy.title')}</h1>
          <div className="tabs" role="tablist" aria-label={t('policy.kind')}>
            {(['', ...kinds] as const).map(one => (
              <button
                type="button"
                role="tab"
                key={one}
                aria-selected={kind === one}
                onClick={() => setKind(one)}
                data-testid={`policies-${one || 'all'}`}
              >
                {t(`policy.kinds.${one || 'all'}`)}
              </button>
            ))}
          </div>
          <span className="grow" />
          <div className="list-search">
            <SearchField
              label={t('policy.search')}
              value={q}
              onChange={setQ}
              hint="search"
              inputRef={box}
              data-testid="policy-search"
            />
          </div>
          <Button
            icon={<Plus size={18} />}
            refused={!query.data && t('common.loading')}
            onClick={() => setAdding(true)}
            data-testid="policy-add"
          >
            {t('policy.add')}
          </Button>
        </header>
        {slow && <Skeleton lines={5} />}
        {query.error && (
          <div className="list-empty">
            <ProblemLine text={sentence(query.error)} />
            <Button onClick={() => void query.refetch()}>{t('common.tryAgain')}</Button>
          </div>
        )}
        {query.data && items.length === 0 && (
          <Empty text={q ? t('common.nothingFound', { q }) : t(kind ? 'policy.noneOfKind' : 'policy.none')} />
        )}
        {items.length > 0 && <Rows items={items} q={q} />}
      </section>
      {query.data && <PolicySide rules={query.data.rules} />}
      {adding && query.data && (
        <AddPolicy first={kind || 'consultation'} rules={query.data.rules} onClose={() => setAdding(false)} />
      )}
    </div>
  )
}

function usePolicies() {
  const client = useQueryClient()
  const resyncs = useHub(state => state.resyncs)
  const query = useQuery({
    queryKey: ['policies', resyncs],
    queryFn: policiesApi.all,
    placeholderData: before => before,
  })
  useEffect(
    () =>
      hub.onEvents(event => {
        if (event.type === 'recording.policy') void client.invalidateQueries({ queryKey: ['policies'] })
      }),
    [client],
  )
  return query
}

/** Arrows go from row to row, beside the boxes of choices; these have their own. */
function Rows({ items, q }: { items: Policy[]; q: string }) {
  const t = useT()
  const arrows = (event: KeyboardEvent<HTMLDivElement>) => {
    if (!(event.target instanceof HTMLSelectElement)) toNextRow(event)
  }
  return (
    <div className="rows" role="table" aria-label={t('policy.title')} onKeyDown={arrows}>
      <div className="row-head policy-row" role="row">
        <span role="columnheader">{t('policy.subject')}</span>
        <span role="columnheader">{t('policy.mode')}</span>
        <span role="columnheader">{t('policy.layers')}</span>
        <span role="columnheader">{t('policy.counts')}</span>
        <span role="columnheader" className="sr">
          {t('list.action')}
        </span>
      </div>
      {items.map(one => (
        <Row key={`${one.kind} ${one.subject}`} policy={one} q={q} />
      ))}
    </div>
  )
}

function Row({ policy, q }: { policy: Policy; q: string }) {
  const t = useT()
  const client = useQueryClient()
  const [run, pending] = useCommand()
  const [asked, setAsked] = useState(false)
  const state = useRecorded(policy.subject)
  const Icon = icons[policy.kind]
  const set = async (mode: Mode | null, layers: Layers) => {
    await run(() => policiesApi.set(policy, mode, layers))
    // Also when somebody was quicker: then what is shown was old.
    await client.invalidateQueries({ queryKey: ['policies'] })
  }
  return (
    <div
      className="row policy-row"
      role="row"
      tabIndex={0}
      aria-busy={pending}
      data-testid="policy"
      data-kind={policy.kind}
      data-subject={policy.subject}
      data-mode={policy.mode ?? ''}
      data-effective={policy.effective}
    >
      <span role="cell" className="named">
        <Icon size={18} aria-hidden />
        <span className="two">
          <strong className="cut" title={policy.title}>
            <Marked text={policy.title} q={q} />
          </strong>
          <small>
            {t(`policy.kinds.${policy.kind}`)} · {t(`label.${policy.label}`)}
          </small>
        </span>
      </span>
      <span role="cell">
        <ModeField
          label={t('policy.modeOf', { name: policy.title })}
          value={policy.mode}
          onChange={mode => (grave(policy.effective, mode) ? setAsked(true) : void set(mode, policy.layers))}
        />
      </span>
      <span role="cell">
        <LayersField
          label={t('policy.layersOf', { name: policy.title })}
          value={policy.layers}
          onChange={chosen => void set(policy.mode, chosen)}
        />
      </span>
      <span role="cell" className="counts">
        <Counts policy={policy} />
        {state === 'recording' && <RecordingChip text={t('review.recording')} />}
      </span>
      <span role="cell" className="end">
        <Button
          size="small"
          icon={<Undo2 size={14} />}
          pending={pending && t('policy.saving')}
          onClick={() => void set(null, '')}
          data-testid="policy-clear"
        >
          {t('policy.clear')}
        </Button>
      </span>
      {asked && (
        <Confirm
          title={t('policy.neverTitle', { name: policy.title })}
          body={t('policy.neverBody')}
          act={t('policy.neverAct')}
          onConfirm={() => {
            setAsked(false)
            void set('never', policy.layers)
          }}
          onClose={() => setAsked(false)}
        />
      )}
    </div>
  )
}

/** What a room comes to, and why. */
export function Counts({ policy }: { policy: Pick<Policy, 'effective' | 'why'> }) {
  const t = useT()
  return (
    <span className="two">
      <span>{t(`policy.modes.${policy.effective}`)}</span>
      <small>{t(`policy.why.${policy.why}`)}</small>
    </span>
  )
}

interface FieldProps<T> {
  label: string
  value: T
  onChange(value: T): void
  /** Its name stands above it. */
  named?: boolean
}

export function ModeField(props: FieldProps<Mode | null>) {
  const t = useT()
  return (
    <Choice
      {...props}
      options={[null, ...modes]}
      word={one => t(one === null ? 'policy.asKind' : `policy.modes.${one}`)}
      testid="policy-mode"
    />
  )
}

export function LayersField(props: FieldProps<Layers>) {
  const t = useT()
  return (
    <Choice {...props} options={layers} word={one => t(`policy.layer.${one || 'default'}`)} testid="policy-layers" />
  )
}

interface ChoiceProps<T> extends FieldProps<T> {
  options: readonly T[]
  word(one: T): string
  testid: string
}

function Choice<T>({ label, value, onChange, named, options, word, testid }: ChoiceProps<T>) {
  const id = useId()
  return (
    <span className={named ? 'field' : undefined}>
      {named && <label htmlFor={id}>{label}</label>}
      <span className="select-box">
        <select
          id={id}
          className="select"
          aria-label={named ? undefined : label}
          value={options.indexOf(value)}
          onChange={event => onChange(options[Number(event.target.value)] as T)}
          data-testid={testid}
        >
          {options.map((one, i) => (
            <option key={String(one)} value={i}>
              {word(one)}
            </option>
          ))}
        </select>
        <ChevronDown size={14} />
      </span>
    </span>
  )
}
