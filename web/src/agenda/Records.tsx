import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Check, Download, Signature } from 'lucide-react'
import { useState } from 'react'
import { useCommand } from '../app/command'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { type AgendaItem, chinaDay, chinaTime, type Occurrence } from './agenda.model'
import { agendaApi } from './api'

interface Props {
  item: AgendaItem
  one: Occurrence
  may: boolean
}

/** 签到: by organisation, by entering and by hand. */
export function AttendancePart({ item, one, may }: Props) {
  const t = useT()
  const queries = useQueryClient()
  const [run, pending] = useCommand()
  const key = ['agenda', 'attendance', item.id, one.at]
  const query = useQuery({ queryKey: key, queryFn: () => agendaApi.attendance(item.id, one.at) })
  const sign = (person?: string) =>
    void run(async () => queries.setQueryData(key, await agendaApi.sign(item.id, one.at, person)))
  return (
    <>
      <h3>
        {t('agenda.attendance')} {query.data && <small>{query.data.present}</small>}
      </h3>
      {query.data?.organisations.map(org => (
        <div key={org.org.id} className="agenda-org">
          <strong>
            {org.org.name} <small>{t('agenda.presentCount', { count: org.present })}</small>
          </strong>
          <ul>
            {org.people.map(({ person, how, at, guest }) => (
              <li key={person.id} className={`is-${how}`} data-testid="agenda-attendee" data-how={how}>
                <span>{person.name}</span>
                <small>
                  {t(`agenda.how.${how}`)} {at && chinaTime(at)} {guest && t('agenda.guest')}
                </small>
                {may && how === 'absent' && (
                  <Button size="small" look="ghost" onClick={() => sign(person.id)}>
                    {t('agenda.signFor')}
                  </Button>
                )}
              </li>
            ))}
          </ul>
        </div>
      ))}
      <div className="agenda-buttons">
        {item.may.includes('reply') && (
          <Button
            size="small"
            icon={<Check size={14} />}
            pending={pending && t('agenda.sign')}
            onClick={() => sign()}
            data-testid="agenda-sign"
          >
            {t('agenda.sign')}
          </Button>
        )}
        <a className="btn small" href={agendaApi.attendanceReport(item.id, one.at)} download>
          <Download size={14} /> {t('roll.csv')}
        </a>
      </div>
    </>
  )
}

/** 纪要: written, kept in revisions, signed off. */
export function MinutesPart({ item, one, may }: Props) {
  const t = useT()
  const queries = useQueryClient()
  const [draft, setDraft] = useState<string>()
  const [run, pending] = useCommand()
  const key = ['agenda', 'minutes', item.id, one.at]
  const query = useQuery({ queryKey: key, queryFn: () => agendaApi.minutes(item.id, one.at) })
  const minutes = query.data
  if (!minutes) return null
  const signed = minutes.signed_by !== null
  const save = () =>
    void run(async () => {
      queries.setQueryData(key, await agendaApi.writeMinutes(item.id, one.at, minutes.rev, draft ?? ''))
      setDraft(undefined)
    })
  const sign = () =>
    void run(async () => queries.setQueryData(key, await agendaApi.signMinutes(item.id, one.at, minutes.rev)))
  return (
    <>
      <h3>{t('agenda.minutes')}</h3>
      {draft !== undefined ? (
        <textarea
          className="agenda-text"
          aria-label={t('agenda.minutes')}
          rows={10}
          value={draft}
          onChange={event => setDraft(event.target.value)}
          data-testid="agenda-minutes"
        />
      ) : (
        <p className="agenda-notes">{minutes.text || t('agenda.noMinutes')}</p>
      )}
      {minutes.written_at && (
        <p className="note">
          {t('agenda.revision', { rev: minutes.rev, name: minutes.written_by?.name ?? '' })}
          {minutes.signed_at &&
            ` · ${t('agenda.signedBy', { name: minutes.signed_by?.name ?? '', day: chinaDay(minutes.signed_at) })}`}
        </p>
      )}
      <div className="agenda-buttons">
        {may && !signed && draft === undefined && (
          <Button size="small" onClick={() => setDraft(minutes.text)} data-testid="agenda-write">
            {t('agenda.write')}
          </Button>
        )}
        {draft !== undefined && (
          <>
            <Button
              size="small"
              look="primary"
              pending={pending && t('agenda.save')}
              onClick={save}
              data-testid="agenda-save"
            >
              {t('agenda.save')}
            </Button>
            <Button size="small" onClick={() => setDraft(undefined)}>
              {t('common.cancel')}
            </Button>
          </>
        )}
        {may && !signed && minutes.rev > 0 && draft === undefined && (
          <Button size="small" icon={<Signature size={14} />} pending={pending && t('agenda.signOff')} onClick={sign}>
            {t('agenda.signOff')}
          </Button>
        )}
        {minutes.rev > 0 && (
          <>
            <a className="btn small" href={agendaApi.minutesFile(item.id, one.at, 'text')} download>
              <Download size={14} /> {t('agenda.asText')}
            </a>
            <a className="btn small" href={agendaApi.minutesFile(item.id, one.at, 'html')} download>
              <Download size={14} /> HTML
            </a>
          </>
        )}
      </div>
    </>
  )
}
