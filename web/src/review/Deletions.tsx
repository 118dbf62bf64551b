import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { hub, useHub } from '../app/hub'
import type { KeptRecording } from '../hub/keepingTypes'
import type { Recording } from '../hub/types'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { dateTime } from '../ui/time.model'
import { KeepingDialog } from './Keeping'
import { keepingApi } from './keepingApi'

/** Deletions that wait for a second person; nothing where there are none. */
export function Deletions() {
  const t = useT()
  const client = useQueryClient()
  const rev = useHub(state => state.recordingsRev)
  const me = useHub(state => state.session?.person.id)
  const on = hub.can('recording.delete')
  const query = useQuery({
    queryKey: ['deletions', rev],
    queryFn: keepingApi.deletions,
    enabled: on,
    placeholderData: before => before,
  })
  const [open, setOpen] = useState<{ kept: KeptRecording; act: 'confirm' | 'refuse' }>()
  const items = query.data?.items ?? []
  if (!on || items.length === 0) return null
  const pick = (recording: Recording, act: 'confirm' | 'refuse') =>
    setOpen({ kept: { recording, holds: [], acts: [act] }, act })
  const done = () => {
    setOpen(undefined)
    void client.invalidateQueries({ queryKey: ['deletions'] })
    void client.invalidateQueries({ queryKey: ['recordings'] })
  }
  return (
    <section className="deletions" aria-label={t('keeping.deletions')} data-testid="deletions">
      <h2>
        {t('keeping.deletions')} <span className="count">{items.length}</span>
      </h2>
      {items.map(recording => {
        const request = recording.keeping?.request
        const own = request?.person_id === me
        return (
          <div className="deletion" key={recording.id} data-testid="deletion" data-id={recording.id}>
            <span className="two grow">
              <strong className="cut">{recording.title}</strong>
              <small>
                {t('list.code', { code: recording.code })} · {recording.org_name} ·{' '}
                {dateTime(Date.parse(recording.started_at))}
              </small>
            </span>
            {request && (
              <span className="two grow">
                <span className="cut" title={request.reason}>
                  {request.reason}
                </span>
                <small>
                  {t('keeping.asks', { name: request.name, time: dateTime(Date.parse(request.at)) })} ·{' '}
                  {t('keeping.lapses', { time: dateTime(Date.parse(request.lapses_at)) })}
                </small>
              </span>
            )}
            <Button size="small" onClick={() => pick(recording, 'refuse')} data-testid="deletion-refuse">
              {t(own ? 'keeping.act.withdraw' : 'keeping.act.refuse')}
            </Button>
            {hub.can('recording.confirm') && (
              <Button
                size="small"
                look="inverse"
                refused={own && t('keeping.notOneself')}
                onClick={() => pick(recording, 'confirm')}
                data-testid="deletion-confirm"
              >
                {t('keeping.act.confirm')}
              </Button>
            )}
          </div>
        )
      })}
      {open && (
        <KeepingDialog kept={open.kept} asked={{ act: open.act }} onDone={done} onClose={() => setOpen(undefined)} />
      )}
    </section>
  )
}
