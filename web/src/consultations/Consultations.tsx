import { useQuery } from '@tanstack/react-query'
import { Inbox, Lock, Play, Plus } from 'lucide-react'
import { type KeyboardEvent, useMemo, useRef, useState } from 'react'
import { AgendaPage } from '../agenda/Agenda'
import { sentence, useSettled, useTick } from '../app/command'
import { hub, useCan, useHub } from '../app/hub'
import { navigate, useAddress } from '../app/router'
import { liveList } from '../hub/state'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { Button, Empty, Marked, ProblemLine, RecordingChip, SearchField, Skeleton, useLate } from '../ui/controls'
import { useKeys } from '../ui/keys'
import { dateTime, dayGroup, minutesSince } from '../ui/time.model'
import { CreateDialog } from './CreateDialog'
import { Detail } from './Detail'
import { joinable } from './may.model'
import './consultations.css'

type Tab = Consultation['state']

export function Consultations() {
  const asked = new URLSearchParams(useAddress()).has('agenda')
  const [tab, setTab] = useState<Tab | 'agenda'>(asked ? 'agenda' : 'live')
  if (tab === 'agenda') return <AgendaPage head={<Head tab={tab} onTab={setTab} />} />
  return <Listed tab={tab} onTab={setTab} />
}

/** The page's name, and which consultations it shows. */
function Head({ tab, onTab }: { tab: Tab | 'agenda'; onTab(tab: Tab | 'agenda'): void }) {
  const t = useT()
  const all = useHub(state => state.consultations)
  const liveCount = useMemo(() => liveList(all).length, [all])
  const tabs = useCan('agenda.list') ? (['live', 'agenda', 'ended'] as const) : (['live', 'ended'] as const)
  return (
    <>
      <h1>{t('list.title')}</h1>
      <div className="tabs" role="tablist" aria-label={t('list.title')}>
        {tabs.map(key => (
          <button
            type="button"
            role="tab"
            key={key}
            aria-selected={tab === key}
            onClick={() => onTab(key)}
            data-testid={`tab-${key}`}
          >
            {key === 'agenda' ? t('agenda.tab') : t(`list.${key}`)}
            {key === 'live' && <small>{liveCount}</small>}
          </button>
        ))}
      </div>
    </>
  )
}

function Listed({ tab, onTab }: { tab: Tab; onTab(tab: Tab | 'agenda'): void }) {
  const t = useT()
  const [q, setQ] = useState('')
  const [chosen, setChosen] = useState<string>()
  const [creating, setCreating] = useState(false)
  const searchBox = useRef<HTMLInputElement>(null)
  const mayCreate = useCan('consultation.create')
  const list = useList(tab, useSettled(q.trim()))
  const shown = list.items.find(c => c.id === chosen) ?? list.items[0]
  useKeys('consultations', { search: () => searchBox.current?.focus() })
  useTick(15_000)

  return (
    <div className="consultations">
      <section className="list-side">
        <header className="list-head">
          <Head tab={tab} onTab={onTab} />
          <span className="grow" />
          <div className="list-search">
            <SearchField label={t('list.searchHint')} value={q} onChange={setQ} hint="search" inputRef={searchBox} />
          </div>
          {mayCreate && (
            <Button
              look="primary"
              icon={<Plus size={18} />}
              onClick={() => setCreating(true)}
              data-testid="consultation-create"
            >
              {t('list.create')}
            </Button>
          )}
        </header>
        <Rows
          list={list}
          tab={tab}
          q={q.trim()}
          shown={shown}
          onChoose={setChosen}
          onCreate={mayCreate ? () => setCreating(true) : undefined}
        />
      </section>
      <Detail consultation={shown} />
      {creating && <CreateDialog onClose={() => setCreating(false)} />}
    </div>
  )
}

interface List {
  items: Consultation[]
  loading: boolean
  problem: string | undefined
  again(): void
}

/** Live ones come from the event stream; a search and what has ended are asked for, and asked again when they change. */
function useList(tab: Tab, q: string): List {
  const all = useHub(state => state.consultations)
  const loaded = useHub(state => state.loaded)
  const resyncs = useHub(state => state.resyncs)
  const stamp = useMemo(() => {
    const own = Object.values(all).filter(c => c.state === tab)
    return own.map(c => `${c.id}${q ? c.rev : c.recordings.length}`).join()
  }, [all, tab, q])
  const asked = tab === 'ended' || q !== ''
  const query = useQuery({
    queryKey: ['consultations', tab, q, stamp, resyncs],
    queryFn: () => hub.api.consultations(tab, q),
    enabled: asked,
    placeholderData: (before, previous) => (previous?.queryKey[1] === tab ? before : undefined),
  })
  const live = useMemo(() => liveList(all), [all])
  if (!asked) return { items: live, loading: !loaded, problem: undefined, again: () => undefined }
  const items = (query.data?.items ?? []).map(item => {
    const known = all[item.id]
    return known && known.rev > item.rev ? known : item
  })
  return {
    items: items.filter(item => item.state === tab),
    loading: query.isPending,
    problem: query.error ? sentence(query.error) : undefined,
    again: () => void query.refetch(),
  }
}

interface RowsProps {
  list: List
  tab: Tab
  q: string
  shown: Consultation | undefined
  onChoose(id: string): void
  onCreate: (() => void) | undefined
}

function Rows({ list, tab, q, shown, onChoose, onCreate }: RowsProps) {
  const t = useT()
  const slow = useLate(list.loading, 300)
  const box = useRef<HTMLDivElement>(null)
  const arrows = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (!step || !(event.target instanceof HTMLElement)) return
    const rows = [...(box.current?.querySelectorAll<HTMLElement>('.row') ?? [])]
    const at = rows.findIndex(row => row.contains(event.target as Node))
    rows[at + step]?.focus()
    event.preventDefault()
  }
  if (list.loading) return slow ? <Skeleton lines={5} /> : null
  if (list.problem)
    return (
      <div className="list-empty">
        <ProblemLine text={list.problem} />
        <Button onClick={list.again}>{t('common.tryAgain')}</Button>
      </div>
    )
  if (list.items.length === 0)
    return (
      <div className="list-empty">
        <Empty
          icon={<Inbox size={18} />}
          text={q ? t('common.nothingFound', { q }) : t(tab === 'live' ? 'list.emptyLive' : 'list.emptyEnded')}
        >
          {!q && tab === 'live' && onCreate && <Button onClick={onCreate}>{t('list.create')}</Button>}
        </Empty>
      </div>
    )
  const now = hub.now()
  const group = (c: Consultation) => dayGroup(Date.parse(c.ended_at ?? c.created_at), now)
  return (
    <div className="rows" ref={box} onKeyDown={arrows} role="table" aria-label={t(`list.${tab}`)}>
      <div className="row-head" role="row">
        <span role="columnheader">{t('list.subject')}</span>
        <span role="columnheader">{t('list.host')}</span>
        <span role="columnheader">{t('list.organisations')}</span>
        <span role="columnheader">{t('list.state')}</span>
        <span role="columnheader" className="sr">
          {t('list.action')}
        </span>
      </div>
      {list.items.map((consultation, i) => {
        const before = list.items[i - 1]
        const heading = tab === 'ended' && (!before || group(before) !== group(consultation)) && group(consultation)
        return (
          <div key={consultation.id} role="rowgroup">
            {heading && <DayHeading day={heading} />}
            <Row
              consultation={consultation}
              q={q}
              now={now}
              first={i === 0}
              chosen={shown?.id === consultation.id}
              onChoose={() => onChoose(consultation.id)}
            />
          </div>
        )
      })}
    </div>
  )
}

function DayHeading({ day }: { day: string }) {
  const t = useT()
  return <h2 className="day">{day === 'today' || day === 'yesterday' ? t(`list.${day}`) : day}</h2>
}

interface RowProps {
  consultation: Consultation
  q: string
  now: number
  first: boolean
  chosen: boolean
  onChoose(): void
}

function Row({ consultation: c, q, now, first, chosen, onChoose }: RowProps) {
  const t = useT()
  const began = Date.parse(c.created_at)
  const minutes = minutesSince(began, c.ended_at ? Date.parse(c.ended_at) : now)
  const when = c.state === 'live' ? t('list.running', { minutes }) : t('list.lasted', { minutes })
  return (
    <div
      className={`row${chosen ? ' chosen' : ''}${c.state === 'ended' ? ' past' : ''}`}
      role="row"
      tabIndex={chosen || first ? 0 : -1}
      aria-selected={chosen}
      onClick={onChoose}
      onFocus={onChoose}
      onDoubleClick={() => enter(c)}
      onKeyDown={event => {
        if (event.key === 'Enter' && event.target === event.currentTarget) enter(c)
      }}
      data-testid="consultation-row"
      data-id={c.id}
      data-code={c.code}
    >
      <span role="cell" className="two">
        <strong className="cut" title={c.title}>
          <Marked text={c.title} q={q} />
        </strong>
        <small>
          {t('list.code', { code: c.code })} · {c.state === 'ended' && `${dateTime(began).slice(11)} · `}
          {when}
        </small>
      </span>
      <span role="cell" className="two">
        <span className="cut">{c.host.name}</span>
        <small className="cut">{c.host.org_name}</small>
      </span>
      <span role="cell">
        <Organisations consultation={c} />
      </span>
      <span role="cell">
        <StateChip consultation={c} />
      </span>
      <span role="cell" className="end">
        <RowAction consultation={c} main={chosen} />
      </span>
    </div>
  )
}

function enter(consultation: Consultation): void {
  if (consultation.state === 'live') {
    if (joinable(consultation)) navigate(`/room/${consultation.id}`)
  } else if (consultation.recordings[0]) {
    navigate(reviewPath(consultation))
  }
}

export function reviewPath(consultation: Consultation): string {
  const [only, ...more] = consultation.recordings
  return more.length || !only ? `/review?q=${encodeURIComponent(consultation.code)}` : `/review/${only}`
}

function Organisations({ consultation }: { consultation: Consultation }) {
  const shown = consultation.organisations.slice(0, 4)
  const rest = consultation.organisations.length - shown.length
  const names = consultation.organisations.map(o => o.name).join('、')
  return (
    <span className="orgs" title={names}>
      <span className="sr">{names}</span>
      {shown.map(o => (
        <span className="avatar" key={o.id} aria-hidden>
          {[...(o.short || o.name).replace(/^市/, '')][0]}
        </span>
      ))}
      {rest > 0 && <span className="avatar rest">+{rest}</span>}
    </span>
  )
}

export function StateChip({ consultation: c }: { consultation: Consultation }) {
  const t = useT()
  if (c.state === 'ended')
    return <span className="plain">{t(c.recordings.length ? 'list.endedRecorded' : 'list.endedNotRecorded')}</span>
  return (
    <span className="chips">
      {c.recording.state === 'recording' && <RecordingChip text={t('list.recording')} />}
      {c.recording.state === 'failed' && <span className="chip outline">{t('list.recordingFailed')}</span>}
      {c.recording.state === 'off' && !c.locked && <span className="chip accent">{t('list.inProgress')}</span>}
      {c.locked && (
        <span className="chip">
          <Lock size={12} /> {t('list.locked')}
        </span>
      )}
    </span>
  )
}

function RowAction({ consultation: c, main }: { consultation: Consultation; main: boolean }) {
  const t = useT()
  const mayReview = useCan('recording.view')
  if (c.state === 'live')
    return (
      <Button
        size="small"
        look={main ? 'primary' : 'plain'}
        refused={!joinable(c) && t('list.lockedOut')}
        onClick={() => navigate(`/room/${c.id}`)}
        data-testid="consultation-join"
      >
        {t('list.join')}
      </Button>
    )
  if (!c.recordings.length || !mayReview) return null
  return (
    <Button
      size="small"
      icon={<Play size={14} />}
      onClick={() => navigate(reviewPath(c))}
      data-testid="consultation-review"
    >
      {t('list.review')}
    </Button>
  )
}
