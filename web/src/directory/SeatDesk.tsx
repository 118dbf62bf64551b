import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useCommand } from '../app/command'
import { useCan, useHub } from '../app/hub'
import { useT } from '../i18n'
import { Button, Field } from '../ui/controls'
import { Dialog } from '../ui/overlay'
import { api } from './api'
import type { Entry } from './directory.model'

/** Who sits there; sitting down, taking over with a reason, leaving. */
export function SeatDesk({ entry }: { entry: Entry }) {
  const t = useT()
  const me = useHub(state => state.session?.person.id)
  const may = useCan('seat.sign_on')
  const queries = useQueryClient()
  const [asking, setAsking] = useState(false)
  const [reason, setReason] = useState('')
  const [run, pending] = useCommand()
  // A search does not say who sits there.
  const record = useQuery({
    queryKey: ['directory', 'seat', entry.id],
    queryFn: () => api.seat(entry.id),
    retry: false,
    ...(entry.seat && { placeholderData: entry.seat }),
  })
  const sitting = (record.data ?? entry.seat)?.sitting
  const act = async (what: () => Promise<unknown>) => {
    if (!(await run(what))) return
    setAsking(false)
    await queries.invalidateQueries({ queryKey: ['directory'] })
  }
  return (
    <section className="book-section">
      <h3>{t('directory.sitting')}</h3>
      <p data-testid="seat-sitting">
        {sitting
          ? [sitting.name, sitting.post, sitting.org_name].filter(Boolean).join(' · ')
          : t('directory.nobodySits')}
      </p>
      {may && (
        <div className="book-buttons">
          {!sitting && (
            <Button
              pending={pending && t('directory.saving')}
              onClick={() => void act(() => api.signOn(entry.id, false, ''))}
              data-testid="seat-on"
            >
              {t('directory.signOn')}
            </Button>
          )}
          {sitting && sitting.id === me && (
            <Button
              pending={pending && t('directory.saving')}
              onClick={() => void act(() => api.signOff(entry.id))}
              data-testid="seat-off"
            >
              {t('directory.signOff')}
            </Button>
          )}
          {sitting && sitting.id !== me && (
            <Button onClick={() => setAsking(true)} data-testid="seat-take">
              {t('directory.takeOver')}
            </Button>
          )}
        </div>
      )}
      {asking && sitting && (
        <Dialog
          title={t('directory.takeOverTitle', { seat: entry.name, name: sitting.name })}
          onClose={() => setAsking(false)}
          footer={
            <>
              <Button data-focus onClick={() => setAsking(false)}>
                {t('common.cancel')}
              </Button>
              <Button
                look="inverse"
                pending={pending && t('directory.saving')}
                refused={!reason.trim() && t('directory.reasonMissing')}
                onClick={() => void act(() => api.signOn(entry.id, true, reason.trim()))}
                data-testid="confirm"
              >
                {t('directory.takeOverAct', { name: sitting.name })}
              </Button>
            </>
          }
        >
          <p className="confirm-body">{t('directory.takeOverBody', { name: sitting.name })}</p>
          <Field
            label={t('directory.reason')}
            value={reason}
            maxLength={200}
            onChange={event => setReason(event.target.value)}
            data-testid="seat-reason"
          />
        </Dialog>
      )}
    </section>
  )
}
