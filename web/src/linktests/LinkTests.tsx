import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Activity, CircleAlert, CircleCheck, CircleHelp, TriangleAlert } from 'lucide-react'
import { useEffect, useState } from 'react'
import { sentence, useCommand } from '../app/command'
import { hub, useHub } from '../app/hub'
import { useT } from '../i18n'
import { Button, ProblemLine, Skeleton } from '../ui/controls'
import { dateTime } from '../ui/time.model'
import { linkApi } from './api'
import { type Light, type LinkTest, type Row, rows } from './linktests.model'
import './linktests.css'

const icons = { green: CircleCheck, yellow: TriangleAlert, red: CircleAlert, grey: CircleHelp }

/** Can organisations connect: a light for each, what is wrong, the tests that were. */
export default function LinkTests() {
  const t = useT()
  const queries = useQueryClient()
  const resyncs = useHub(state => state.resyncs)
  const [chosen, setChosen] = useState<string>()
  const [run, pending] = useCommand()
  const orgs = useQuery({ queryKey: ['organisations'], queryFn: () => hub.api.organisations(), staleTime: 60_000 })
  const last = useQuery({ queryKey: ['links', 'last', resyncs], queryFn: () => linkApi.last() })
  useEffect(
    () =>
      hub.onEvents(event => {
        if (event.type.startsWith('linktest.')) void queries.invalidateQueries({ queryKey: ['links'] })
      }),
    [queries],
  )
  const able = (orgs.data?.items ?? []).filter(org => org.connectivity === 'video' || org.connectivity === 'full')
  const all = rows(able, last.data?.items ?? [])
  const shown = all.find(row => row.org.id === chosen) ?? all[0]
  const test = (ids: string[]) =>
    void run(async () => {
      await linkApi.begin(ids)
      await queries.invalidateQueries({ queryKey: ['links'] })
    })
  const problem = orgs.error ?? last.error
  return (
    <div className="links" data-testid="links">
      <section>
        <header>
          <h1>{t('link_test.title')}</h1>
          {(['red', 'yellow', 'green'] as const).map(light => (
            <span key={light} className={`link-count is-${light}`}>
              {t(`link_test.light.${light}`)} {all.filter(row => row.light === light).length}
            </span>
          ))}
          <span className="grow" />
          <Button
            look="primary"
            icon={<Activity size={16} />}
            pending={pending && t('link_test.testing')}
            onClick={() => test(all.map(row => row.org.id))}
            data-testid="links-all"
          >
            {t('link_test.testAll')}
          </Button>
        </header>
        {(orgs.isPending || last.isPending) && <Skeleton lines={8} />}
        {problem && <ProblemLine text={sentence(problem)} />}
        <div role="listbox" aria-label={t('link_test.title')}>
          {all.map(row => (
            <OrgRow
              key={row.org.id}
              row={row}
              on={row.org.id === shown?.org.id}
              onChoose={() => setChosen(row.org.id)}
            />
          ))}
        </div>
      </section>
      {shown && <History key={shown.org.id} row={shown} onTest={() => test([shown.org.id])} />}
    </div>
  )
}

function LightMark({ light }: { light: Light }) {
  const t = useT()
  const Icon = icons[light]
  return <Icon size={18} className={`is-${light}`} aria-label={t(`link_test.light.${light}`)} />
}

function OrgRow({ row, on, onChoose }: { row: Row; on: boolean; onChoose(): void }) {
  const t = useT()
  const { last } = row
  return (
    <button
      type="button"
      role="option"
      aria-selected={on}
      className="link-row"
      onClick={onChoose}
      data-testid="link-row"
      data-light={row.light}
      data-state={last?.state ?? 'never'}
    >
      <LightMark light={row.light} />
      <strong className="cut">{row.org.name}</strong>
      <span className="cut">{last ? words(t, last) : t('link_test.never')}</span>
      <time>{last ? dateTime(Date.parse(last.began_at)) : ''}</time>
    </button>
  )
}

function words(t: ReturnType<typeof useT>, test: LinkTest): string {
  const state = t(`link_test.state.${test.state}`)
  return [state, ...test.reasons.map(reason => t(`link_test.reason.${reason}`))].join(' · ')
}

function History({ row, onTest }: { row: Row; onTest(): void }) {
  const t = useT()
  const { org, last } = row
  const query = useQuery({ queryKey: ['links', 'history', org.id], queryFn: () => linkApi.history(org.id) })
  return (
    <aside aria-label={org.name}>
      <header>
        <h2 className="cut">{org.name}</h2>
        <span className="grow" />
        <Button
          icon={<Activity size={16} />}
          pending={last?.state === 'running' && t('link_test.testing')}
          onClick={onTest}
          data-testid="links-one"
        >
          {t('link_test.test')}
        </Button>
      </header>
      {query.isPending && <Skeleton lines={4} />}
      <ol className="link-history">
        {query.data?.items.map(one => (
          <li key={one.id} data-testid="link-test" data-state={one.state}>
            <strong>{words(t, one)}</strong>
            <small>
              {dateTime(Date.parse(one.began_at))} · {one.by ? one.by.name : t('link_test.daily')}
              {one.person && ` · ${t('link_test.at', { name: one.person.name })}`}
            </small>
            {one.report?.joined && (
              <small>
                {t('link_test.figures', {
                  sent: one.report.frames_sent,
                  received: one.report.frames_received,
                  loss: (one.report.loss * 100).toFixed(1),
                  delay: Math.round(one.report.round_trip),
                })}
              </small>
            )}
          </li>
        ))}
      </ol>
    </aside>
  )
}
