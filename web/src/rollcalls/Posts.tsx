import { useQuery, useQueryClient } from '@tanstack/react-query'
import { ClipboardCheck, Download } from 'lucide-react'
import { useEffect, useState } from 'react'
import { sentence, useCommand, useTick } from '../app/command'
import { hub, useCan, useHub } from '../app/hub'
import { useT } from '../i18n'
import { Button, Empty, ProblemLine, Skeleton } from '../ui/controls'
import { clockTime, dateTime, duration } from '../ui/time.model'
import { AskDialog } from './AskDialog'
import { rollApi } from './api'
import { answeredAfter, byOrganisation, left, type RollCall } from './rollcalls.model'
import './rollcalls.css'

const shown = ['present', 'late', 'absent', 'unreachable', 'reached', 'asked'] as const

/** 查岗: are all posts there? Roll calls that were, the one that is, and what came of it. */
export default function Posts() {
  const t = useT()
  const able = useCan('roll.post')
  const queries = useQueryClient()
  const resyncs = useHub(state => state.resyncs)
  const [chosen, setChosen] = useState<string>()
  const [asking, setAsking] = useState(false)
  const query = useQuery({ queryKey: ['posts', resyncs], queryFn: () => rollApi.listed({}) })
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const end = hub.onEvents(event => {
      if (!event.type.startsWith('rollcall.') || timer) return
      timer = setTimeout(() => {
        timer = undefined
        void queries.invalidateQueries({ queryKey: ['posts'] })
      }, 300)
    })
    return () => {
      end()
      clearTimeout(timer)
    }
  }, [queries])
  const rolls = (query.data?.items ?? []).filter(one => one.kind === 'post')
  const roll = rolls.find(one => one.id === chosen) ?? rolls[0]
  return (
    <div className="posts" data-testid="posts">
      <section className="posts-side">
        <header>
          <h1>{t('roll.post')}</h1>
          <span className="grow" />
          {able && (
            <Button
              look="primary"
              icon={<ClipboardCheck size={16} />}
              onClick={() => setAsking(true)}
              data-testid="posts-ask"
            >
              {t('roll.ask')}
            </Button>
          )}
        </header>
        {query.isPending && <Skeleton lines={5} />}
        {query.error && <ProblemLine text={sentence(query.error)} />}
        {query.isSuccess && rolls.length === 0 && <Empty text={t('roll.none')} />}
        <div role="listbox" aria-label={t('roll.post')}>
          {rolls.map(one => (
            <button
              type="button"
              role="option"
              key={one.id}
              aria-selected={one.id === roll?.id}
              className="posts-row"
              onClick={() => setChosen(one.id)}
            >
              <strong className="cut">{one.title}</strong>
              <small>
                {dateTime(Date.parse(one.created_at))} · {one.led_by.name}
              </small>
              <span>
                {one.counts.present ?? 0} / {one.entries.length}
              </span>
            </button>
          ))}
        </div>
      </section>
      {roll && <Result key={roll.id} roll={roll} />}
      {asking && (
        <AskDialog
          onDone={made => {
            setChosen(made.id)
            setAsking(false)
            void queries.invalidateQueries({ queryKey: ['posts'] })
          }}
          onClose={() => setAsking(false)}
        />
      )}
    </div>
  )
}

function Result({ roll }: { roll: RollCall }) {
  const t = useT()
  const [run, pending] = useCommand()
  useTick(500, roll.state === 'live')
  const time = roll.state === 'live' ? left(roll, hub.now()) : undefined
  return (
    <section className="posts-result" aria-label={roll.title} data-testid="posts-result" data-state={roll.state}>
      <header>
        <h2 className="cut">{roll.title}</h2>
        <span className="chip">{t(`roll.phase.${roll.state}`)}</span>
        {time !== undefined && <time className="posts-time">{duration(Math.ceil(time / 1000) * 1000)}</time>}
        <span className="grow" />
        {roll.state !== 'ended' && (
          <Button pending={pending && t('roll.end')} onClick={() => void run(() => rollApi.step(roll, 'end'))}>
            {t('roll.end')}
          </Button>
        )}
        <a className="btn" href={rollApi.report(roll.id)} download data-testid="posts-csv">
          <Download size={16} /> {t('roll.csv')}
        </a>
      </header>
      <dl className="posts-counts">
        {shown.map(state => (
          <div key={state} className={`is-${state}`} data-testid={`posts-${state}`}>
            <dd>{roll.counts[state] ?? 0}</dd>
            <dt>{t(`roll.postState.${state}`)}</dt>
          </div>
        ))}
      </dl>
      <table className="posts-table">
        <thead>
          <tr>
            {(['organisation', 'postName', 'person', 'result', 'answeredAt', 'after'] as const).map(key => (
              <th key={key} scope="col">
                {t(`roll.${key}`)}
              </th>
            ))}
          </tr>
        </thead>
        {byOrganisation(roll.entries).map(org => (
          <tbody key={org.org_id}>
            {org.entries.map((one, index) => {
              const seconds = answeredAfter(one)
              return (
                <tr key={one.position} data-testid="posts-entry" data-state={one.state}>
                  <td>{index === 0 && `${org.org_name} ${org.well} / ${org.entries.length}`}</td>
                  <td>{one.post}</td>
                  <td>{one.name || '—'}</td>
                  <td>
                    <span className={`roll-mark is-${one.state}`}>
                      {t(`roll.postState.${one.state}` as 'roll.postState.asked')}
                    </span>
                  </td>
                  <td>{one.answered_at ? clockTime(Date.parse(one.answered_at)) : '—'}</td>
                  <td>{seconds === undefined ? '—' : t('roll.seconds', { seconds: seconds.toFixed(1) })}</td>
                </tr>
              )
            })}
          </tbody>
        ))}
      </table>
    </section>
  )
}
