import { useInfiniteQuery } from '@tanstack/react-query'
import { Film, Play } from 'lucide-react'
import { useRef, useState } from 'react'
import { sentence, useSettled } from '../app/command'
import { hub, useHub } from '../app/hub'
import { navigate } from '../app/router'
import type { Recording } from '../hub/types'
import { useT } from '../i18n'
import { Button, Empty, Marked, ProblemLine, RecordingChip, SearchField, Skeleton, useLate } from '../ui/controls'
import { toNextRow, useKeys } from '../ui/keys'
import { dateTime, duration } from '../ui/time.model'
import { Deletions } from './Deletions'
import { ExportsWaiting } from './ExportList'
import { KeepingChip, keptClass } from './Keeping'
import { isGone } from './keeping.model'
import { StorageButton } from './Storage'
import './review.css'

export default function RecordingList() {
  const t = useT()
  const [q, setQ] = useState(() => new URLSearchParams(location.search).get('q') ?? '')
  const wanted = useSettled(q.trim())
  const rev = useHub(state => state.recordingsRev)
  const box = useRef<HTMLInputElement>(null)
  useKeys('consultations', { search: () => box.current?.focus() })
  const query = useInfiniteQuery({
    queryKey: ['recordings', wanted, rev],
    queryFn: ({ pageParam }) => hub.api.recordings(wanted, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: page => page.next ?? undefined,
    placeholderData: before => before,
  })
  const slow = useLate(query.isPending, 300)
  const items = query.data?.pages.flatMap(page => page.items) ?? []
  return (
    <section className="list-side recordings">
      <header className="list-head">
        <h1>{t('review.title')}</h1>
        <span className="grow" />
        <StorageButton />
        <div className="list-search">
          <SearchField
            label={t('review.searchHint')}
            value={q}
            onChange={setQ}
            hint="search"
            inputRef={box}
            data-testid="review-search"
          />
        </div>
      </header>
      <Deletions />
      <ExportsWaiting />
      {slow && <Skeleton lines={5} />}
      {query.error && (
        <div className="list-empty">
          <ProblemLine text={sentence(query.error)} />
          <Button onClick={() => void query.refetch()}>{t('common.tryAgain')}</Button>
        </div>
      )}
      {query.data && items.length === 0 && (
        <div className="list-empty">
          <Empty
            icon={<Film size={18} />}
            text={wanted ? t('common.nothingFound', { q: wanted }) : t('review.empty')}
          />
        </div>
      )}
      {items.length > 0 && <Rows items={items} q={wanted} />}
      {query.hasNextPage && (
        <Button
          className="more-items"
          pending={query.isFetchingNextPage && t('common.loading')}
          onClick={() => void query.fetchNextPage()}
        >
          {t('common.moreItems')}
        </Button>
      )}
    </section>
  )
}

function Rows({ items, q }: { items: Recording[]; q: string }) {
  const t = useT()
  return (
    <div className="rows" role="table" aria-label={t('review.title')} onKeyDown={toNextRow}>
      <div className="row-head" role="row">
        <span role="columnheader">{t('review.subject')}</span>
        <span role="columnheader">{t('review.startedAt')}</span>
        <span role="columnheader">{t('review.people')}</span>
        <span role="columnheader">{t('review.state')}</span>
        <span role="columnheader" className="sr">
          {t('list.action')}
        </span>
      </div>
      {items.map(item => (
        <Row key={item.id} recording={item} q={q} />
      ))}
    </div>
  )
}

function Row({ recording: r, q }: { recording: Recording; q: string }) {
  const t = useT()
  const open = () => navigate(`/review/${r.id}`)
  return (
    <div
      className={`row ${keptClass(r.keeping)}`}
      role="row"
      tabIndex={0}
      onDoubleClick={open}
      onKeyDown={event => {
        if (event.key === 'Enter' && event.target === event.currentTarget) open()
      }}
      data-testid="review-row"
      data-id={r.id}
      data-code={r.code}
      data-state={r.state}
    >
      <span role="cell" className="two">
        <strong className="cut" title={r.title}>
          <Marked text={r.title} q={q} />
        </strong>
        <small className="cut">
          {t('list.code', { code: r.code })} · {r.org_name} · {t(`label.${r.label}`)}
        </small>
      </span>
      <span role="cell" className="two">
        <span>{dateTime(Date.parse(r.started_at))}</span>
        <small>
          {t('review.length')} {r.duration_ms === null ? t('common.none') : duration(r.duration_ms)}
        </small>
      </span>
      <span role="cell" className="two">
        <span className="cut" title={r.people.join('、')}>
          {r.people.join('、') || t('common.none')}
        </span>
        <small>{t('review.tracks', { count: r.track_count })}</small>
      </span>
      <span role="cell">
        {!isGone(r.keeping) && <RecordingState recording={r} />}
        <KeepingChip keeping={r.keeping} />
      </span>
      <span role="cell" className="end">
        <Button size="small" icon={<Play size={14} />} onClick={open} data-testid="review-open">
          {t(isGone(r.keeping) ? 'keeping.see' : 'review.open')}
        </Button>
      </span>
    </div>
  )
}

export function RecordingState({ recording: r }: { recording: Recording }) {
  const t = useT()
  if (r.state === 'recording') return <RecordingChip text={t('review.recording')} />
  if (r.state === 'failed')
    return (
      <span className="chip outline" title={r.reason ?? undefined}>
        {t('review.failed')}
      </span>
    )
  return <span className="plain">{t(`review.${r.state}`)}</span>
}
