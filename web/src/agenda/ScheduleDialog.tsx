import { useQuery } from '@tanstack/react-query'
import { ChevronDown, TriangleAlert } from 'lucide-react'
import { useId, useState } from 'react'
import { useCommand, useSettled } from '../app/command'
import { hub, useCan } from '../app/hub'
import { Invitees } from '../consultations/Invitees'
import type { Label } from '../hub/types'
import { useT } from '../i18n'
import { Check, Field } from '../ui/controls'
import { ActDialog } from '../ui/overlay'
import {
  type AgendaItem,
  chinaDay,
  chinaMoment,
  chinaTime,
  chinaWeekday,
  type Frequency,
  nextHalfHour,
  weekdays,
} from './agenda.model'
import { agendaApi } from './api'

interface Props {
  item?: AgendaItem
  onDone(item: AgendaItem): void
  onClose(): void
}

/** When, how often, who: makes one, or changes all of one. */
export function ScheduleDialog({ item, onDone, onClose }: Props) {
  const t = useT()
  const mayRecord = useCan('recording.control')
  const begin = item?.starts_at ?? nextHalfHour(hub.now())
  const [title, setTitle] = useState(item?.title ?? '')
  const [day, setDay] = useState(chinaDay(begin))
  const [time, setTime] = useState(chinaTime(begin))
  const [minutes, setMinutes] = useState(String(item?.minutes ?? 60))
  const [label, setLabel] = useState<Label>(item?.label ?? 'internal')
  const [frequency, setFrequency] = useState<Frequency>(item?.repeats.frequency ?? 'once')
  const [interval, setInterval] = useState(String(item?.repeats.interval ?? 1))
  const [chosenDays, setChosenDays] = useState<number[]>(item?.repeats.days ?? [])
  const [until, setUntil] = useState(item?.repeats.until ? chinaDay(item.repeats.until) : '')
  const [notes, setNotes] = useState(item?.notes ?? '')
  const [itself, setItself] = useState(item?.begins === 'self')
  const [record, setRecord] = useState(item?.record ?? false)
  const [chosen, setChosen] = useState({
    organisations: item?.organisations.map(({ id, name }) => ({ id, name })) ?? [],
    people: item?.people.map(({ id, name }) => ({ id, name })) ?? [],
  })
  const [run, pending] = useCommand()
  const start = chinaMoment(day, time)
  const length = Number(minutes)
  const fine = Number.isInteger(length) && length >= 5 && length <= 1440
  const problem = !title.trim()
    ? t('create.subjectMissing')
    : !start
      ? t('agenda.badTime')
      : !fine
        ? t('agenda.badLength')
        : undefined
  const save = () =>
    void run(async () => {
      const body = {
        title: title.trim(),
        starts_at: start ?? '',
        minutes: length,
        label,
        notes: notes.trim(),
        repeats: {
          frequency,
          interval: Math.max(1, Number(interval) || 1),
          days: frequency === 'weekly' ? (chosenDays.length ? chosenDays : start ? [chinaWeekday(start)] : []) : [],
          count: 0,
          until: frequency !== 'once' && until ? `${until}T23:59:59+08:00` : null,
        },
        begins: itself ? ('self' as const) : ('chair' as const),
        early_minutes: item?.early_minutes ?? 10,
        record: record && mayRecord,
        organisations: chosen.organisations.map(one => one.id),
        people: chosen.people.map(one => one.id),
      }
      onDone(item ? await agendaApi.change(item.id, item.rev, body) : await agendaApi.create(body))
    })
  return (
    <ActDialog
      title={t(item ? 'agenda.edit' : 'agenda.create')}
      act={t(item ? 'agenda.save' : 'agenda.create')}
      pending={pending && t('agenda.save')}
      refused={problem}
      onAct={save}
      onClose={onClose}
      className="create"
      data-act="agenda-submit"
      data-testid="agenda-dialog"
    >
      <Field
        label={t('create.subject')}
        value={title}
        maxLength={80}
        onChange={event => setTitle(event.target.value)}
        data-focus
        autoComplete="off"
        data-testid="agenda-title"
      />
      <div className="agenda-fields">
        <Field
          label={t('agenda.day')}
          type="date"
          value={day}
          onChange={event => setDay(event.target.value)}
          data-testid="agenda-day"
        />
        <Field
          label={t('agenda.time')}
          type="time"
          value={time}
          onChange={event => setTime(event.target.value)}
          data-testid="agenda-time"
        />
        <Field
          label={t('agenda.length')}
          inputMode="numeric"
          value={minutes}
          onChange={event => setMinutes(event.target.value)}
        />
        <Choice
          label={t('agenda.repeats')}
          value={frequency}
          options={(['once', 'daily', 'weekly', 'monthly'] as const).map(one => [one, t(`agenda.repeat.${one}`)])}
          onChange={value => setFrequency(value as Frequency)}
        />
        {!item && (
          <Choice
            label={t('label.name')}
            value={label}
            options={(['public', 'internal', 'sensitive'] as const).map(one => [one, t(`label.${one}`)])}
            onChange={value => setLabel(value as Label)}
          />
        )}
        {frequency !== 'once' && (
          <>
            <Field
              label={t('agenda.interval')}
              inputMode="numeric"
              value={interval}
              onChange={event => setInterval(event.target.value)}
            />
            <Field
              label={t('agenda.until')}
              type="date"
              value={until}
              onChange={event => setUntil(event.target.value)}
            />
          </>
        )}
      </div>
      {frequency === 'weekly' && (
        <div className="tabs" role="group" aria-label={t('agenda.days')}>
          {weekdays.map((word, number) => (
            <button
              type="button"
              key={word}
              aria-pressed={chosenDays.includes(number)}
              onClick={() =>
                setChosenDays(now =>
                  now.includes(number) ? now.filter(one => one !== number) : [...now, number].sort(),
                )
              }
            >
              {t(`agenda.weekday.${word}`)}
            </button>
          ))}
        </div>
      )}
      <Invitees chosen={chosen} onChange={setChosen} />
      {start && fine && (
        <Clashes start={start} minutes={length} people={chosen.people.map(one => one.id)} without={item?.id} />
      )}
      <div className="field">
        <span className="field-name">{t('agenda.notes')}</span>
        <textarea
          className="agenda-text"
          rows={3}
          maxLength={4000}
          aria-label={t('agenda.notes')}
          value={notes}
          onChange={event => setNotes(event.target.value)}
        />
      </div>
      <Check checked={itself} onChange={setItself}>
        {t('agenda.begins.self')}
      </Check>
      {mayRecord && (
        <Check checked={record} onChange={setRecord}>
          {t('create.record')}
        </Check>
      )}
    </ActDialog>
  )
}

interface ChoiceProps {
  label: string
  value: string
  options: (readonly [string, string])[]
  onChange(value: string): void
}

function Choice({ label, value, options, onChange }: ChoiceProps) {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <span className="select-box">
        <select id={id} className="select" value={value} onChange={event => onChange(event.target.value)}>
          {options.map(([key, words]) => (
            <option key={key} value={key}>
              {words}
            </option>
          ))}
        </select>
        <ChevronDown size={16} />
      </span>
    </div>
  )
}

/** Who of those chosen is somewhere else then; a hint, it refuses nothing. */
function Clashes({
  start,
  minutes,
  people,
  without,
}: {
  start: string
  minutes: number
  people: string[]
  without: string | undefined
}) {
  const t = useT()
  const asked = useSettled(`${start} ${minutes} ${people.join()}`, 400)
  const query = useQuery({
    queryKey: ['agenda', 'clashes', asked, without],
    queryFn: () => agendaApi.clashes(start, minutes, people, without),
    enabled: people.length > 0,
  })
  const found = people.length ? (query.data?.items ?? []) : []
  if (found.length === 0) return null
  return (
    <ul className="agenda-clashes" role="status" data-testid="agenda-clashes">
      {found.map(one => (
        <li key={`${one.person.id}${one.starts_at}`}>
          <TriangleAlert size={14} />
          {t('agenda.clash', {
            name: one.person.name,
            time: `${chinaTime(one.starts_at)}–${chinaTime(one.ends_at)}`,
            title: one.title ?? t('agenda.another'),
          })}
        </li>
      ))}
    </ul>
  )
}
