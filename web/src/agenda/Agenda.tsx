import { useQuery, useQueryClient } from '@tanstack/react-query'
import { CalendarPlus, Repeat } from 'lucide-react'
import { type ReactNode, useEffect, useState } from 'react'
import { sentence, useTick } from '../app/command'
import { hub, useCan, useHub } from '../app/hub'
import { useAddress } from '../app/router'
import { useT } from '../i18n'
import { Button, Empty, ProblemLine, Skeleton } from '../ui/controls'
import { say } from '../ui/overlay'
import { byDay, chinaTime, enterable, type Occurrence } from './agenda.model'
import { agendaApi } from './api'
import { ItemDetail } from './ItemDetail'
import { ScheduleDialog } from './ScheduleDialog'
import './agenda.css'

const days = 28

/** The next weeks: what takes place when, and all about one of them beside it. `head` are the tabs of the page. */
export function AgendaPage({ head }: { head: ReactNode }) {
  const t = useT()
  const mayEdit = useCan('agenda.edit')
  const asked = new URLSearchParams(useAddress()).get('agenda')
  const [chosen, setChosen] = useState<{ item: string; at: number | undefined } | undefined>(
    asked ? { item: asked, at: undefined } : undefined,
  )
  const [scheduling, setScheduling] = useState(false)
  const query = useAgenda()
  useTick(15_000)
  const groups = byDay(query.data?.items ?? [])
  const first = groups[0]?.items[0]
  const shown = chosen ?? (first && { item: first.item_id, at: first.at })
  const is = (one: Occurrence) => one.item_id === shown?.item && (shown.at === undefined || one.at === shown.at)
  return (
    <div className="consultations" data-testid="agenda">
      <section className="list-side">
        <header className="list-head">
          {head}
          <span className="grow" />
          {mayEdit && (
            <Button
              look="primary"
              icon={<CalendarPlus size={18} />}
              onClick={() => setScheduling(true)}
              data-testid="agenda-create"
            >
              {t('agenda.create')}
            </Button>
          )}
        </header>
        {query.isPending && <Skeleton lines={6} />}
        {query.error && <ProblemLine text={sentence(query.error)} />}
        {query.isSuccess && groups.length === 0 && <Empty text={t('agenda.empty')} />}
        {groups.map(group => (
          <section key={group.day} className="agenda-day" aria-label={group.day}>
            <h2>
              {group.day} <small>{t(`agenda.weekday.${group.weekday}`)}</small>
            </h2>
            {group.items.map(one => (
              <Row
                key={`${one.item_id}/${one.at}`}
                one={one}
                on={is(one)}
                onChoose={() => setChosen({ item: one.item_id, at: one.at })}
              />
            ))}
          </section>
        ))}
      </section>
      {shown ? (
        <ItemDetail key={`${shown.item}/${shown.at}`} id={shown.item} at={shown.at} />
      ) : (
        <aside className="agenda-detail" />
      )}
      {scheduling && (
        <ScheduleDialog
          onDone={made => {
            setChosen({ item: made.id, at: made.occurrences[0]?.at })
            setScheduling(false)
          }}
          onClose={() => setScheduling(false)}
        />
      )}
    </div>
  )
}

function Row({ one, on, onChoose }: { one: Occurrence; on: boolean; onChoose(): void }) {
  const t = useT()
  const open = enterable(one, hub.now())
  return (
    <button
      type="button"
      className={`agenda-row${on ? ' chosen' : ''}`}
      aria-pressed={on}
      onClick={onChoose}
      data-testid="agenda-row"
    >
      <time>
        {chinaTime(one.starts_at)}–{chinaTime(one.ends_at)}
      </time>
      <span className="agenda-title">
        <strong className="cut">{one.title}</strong>
        <small className="cut">
          {one.host.name} · {one.host.org_name}
        </small>
      </span>
      {one.series && <Repeat size={14} aria-label={t('agenda.series')} />}
      {one.moved && <span className="chip outline">{t('agenda.moved')}</span>}
      {one.reply && <span className="chip">{t(`agenda.reply.${one.reply}`)}</span>}
      <span className={`chip${one.state === 'started' || open ? ' accent' : ''}`}>
        {t(one.state === 'planned' && open ? 'agenda.openNow' : `agenda.state.${one.state}`)}
      </span>
    </button>
  )
}

function useAgenda() {
  const queries = useQueryClient()
  const resyncs = useHub(state => state.resyncs)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const end = hub.onEvents(event => {
      if (!event.type.startsWith('agenda.') || timer) return
      timer = setTimeout(() => {
        timer = undefined
        void queries.invalidateQueries({ queryKey: ['agenda'] })
      }, 300)
    })
    return () => {
      end()
      clearTimeout(timer)
    }
  }, [queries])
  return useQuery({
    queryKey: ['agenda', 'list', resyncs],
    queryFn: () => {
      const now = hub.now()
      return agendaApi.between(new Date(now - 3_600_000).toISOString(), new Date(now + days * 86_400_000).toISOString())
    },
    refetchInterval: 300_000,
  })
}

/** Says on every page what begins soon. */
export function AgendaReminders() {
  const t = useT()
  useEffect(
    () =>
      hub.onEvents(event => {
        if (event.type !== 'agenda.reminder') return
        const data = event.data as { item?: { title?: string }; kind?: string; starts_at?: string }
        if (Date.now() - Date.parse(event.at) > 120_000 || !data.item?.title || !data.starts_at) return
        const values = { title: data.item.title, time: chinaTime(data.starts_at) }
        say(t(data.kind === 'start' ? 'agenda.startsNow' : 'agenda.startsSoon', values))
      }),
    [t],
  )
  return null
}
