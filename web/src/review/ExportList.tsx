import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Check, Download, X } from 'lucide-react'
import { reasonText, useCommand } from '../app/command'
import { useCan, useHub } from '../app/hub'
import type { ExportView } from '../hub/exportTypes'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { dateTime } from '../ui/time.model'
import { clockText } from './exports.model'
import { exportsApi } from './exportsApi'
import { sizeText } from './keeping.model'
import './exports.css'

/** What was asked for, newest first, and what one may do with it. */
export function ExportList({ items }: { items: readonly ExportView[] }) {
  const t = useT()
  if (items.length === 0) return <p className="note">{t('exports.none')}</p>
  return (
    <ul className="exports" aria-label={t('exports.list')} data-testid="export-list">
      {items.map(item => (
        <ExportRow key={item.id} item={item} />
      ))}
    </ul>
  )
}

function ExportRow({ item }: { item: ExportView }) {
  const t = useT()
  const client = useQueryClient()
  const [run, busy] = useCommand()
  const changed = async (act: () => Promise<unknown>) => {
    await run(act)
    await client.invalidateQueries({ queryKey: ['exports'] })
  }
  const may = (act: ExportView['acts'][number]) => item.acts.includes(act)
  const span = item.to_ms ? `${clockText(item.from_ms)} – ${clockText(item.to_ms)}` : t('exports.whole')
  const reason = reasonText(item.reason)
  return (
    <li data-testid="export" data-state={item.state} data-id={item.id}>
      <strong>{t(`exports.kinds.${item.kind}`)}</strong>
      <span className="export-time">{span}</span>
      <span className="note cut">
        {t('exports.by', { name: item.by.name })} {dateTime(Date.parse(item.at))}
        {item.grounds && ` · ${item.grounds}`}
        {item.decision && ` · ${t('exports.decided', { name: item.decision.name })}`}
        {item.decision?.reason && `：${item.decision.reason}`}
        {item.begun > 1 && ` · ${t('exports.again')}`}
        {reason && ` · ${reason}`}
        {item.state === 'done' && item.until && ` · ${t('exports.until', { day: dateTime(Date.parse(item.until)) })}`}
      </span>
      <span className="export-state">
        {item.state === 'running' ? (
          <progress max={100} value={item.percent} aria-label={t('exports.progress', { percent: item.percent })} />
        ) : (
          t(`exports.states.${item.state}`)
        )}
        {item.state === 'done' && <small>{sizeText(item.size)}</small>}
      </span>
      <span className="export-acts">
        {may('approve') && (
          <Button
            size="small"
            look="primary"
            pending={busy && '…'}
            icon={<Check size={14} />}
            onClick={() => void changed(() => exportsApi.decide(item, 'approve', ''))}
            data-testid="export-approve"
          >
            {t('exports.approve')}
          </Button>
        )}
        {may('refuse') && (
          <Button
            size="small"
            onClick={() => void changed(() => exportsApi.decide(item, 'refuse', ''))}
            data-testid="export-refuse"
          >
            {t('exports.refuse')}
          </Button>
        )}
        {may('fetch') && item.url && (
          <a className="btn primary small" href={item.url} download data-testid="export-fetch">
            <Download size={14} aria-hidden /> {t('exports.fetch')}
          </a>
        )}
        {may('cancel') && (
          <Button
            size="small"
            look="ghost"
            icon={<X size={14} />}
            pending={busy && '…'}
            onClick={() => void changed(() => exportsApi.cancel(item))}
            data-testid="export-cancel"
          >
            {t(item.state === 'done' ? 'exports.remove' : 'exports.cancel')}
          </Button>
        )}
      </span>
    </li>
  )
}

/** Above the list of recordings: exports that wait for whoever may approve them. */
export function ExportsWaiting() {
  const t = useT()
  const may = useCan('recording.approve')
  const rev = useHub(state => state.recordingsRev)
  const query = useQuery({
    queryKey: ['exports', 'waiting', rev],
    queryFn: exportsApi.waiting,
    enabled: may,
    placeholderData: before => before,
  })
  const items = query.data?.items ?? []
  if (!may || items.length === 0) return null
  return (
    <section className="exports-waiting" data-testid="exports-waiting">
      <h2>
        {t('exports.states.asked')} <span className="count">{items.length}</span>
      </h2>
      <ExportList items={items} />
    </section>
  )
}
