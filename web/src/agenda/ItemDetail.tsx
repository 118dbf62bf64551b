import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Calendar, ClipboardCheck, FileText, ListOrdered, LogIn, Paperclip, Pencil, Trash2 } from 'lucide-react'
import { useRef, useState } from 'react'
import { sentence, useCommand, useTick } from '../app/command'
import { hub, useCan } from '../app/hub'
import { navigate } from '../app/router'
import { useT } from '../i18n'
import { AskDialog } from '../rollcalls/AskDialog'
import { openRollStart } from '../rollcalls/RollSheet'
import { Button, Field, ProblemLine, Skeleton } from '../ui/controls'
import { Confirm } from '../ui/overlay'
import {
  type AgendaItem,
  chinaDay,
  chinaTime,
  enterable,
  type Occurrence,
  type Reply,
  repeatWord,
  tally,
} from './agenda.model'
import { agendaApi } from './api'
import { AttendancePart, MinutesPart } from './Records'
import { ScheduleDialog } from './ScheduleDialog'

/** All about one: when, who, their replies, materials, who was there, the minutes. */
export function ItemDetail({ id, at }: { id: string; at: number | undefined }) {
  const query = useQuery({ queryKey: ['agenda', 'item', id], queryFn: () => agendaApi.one(id) })
  useTick(10_000)
  if (query.isPending)
    return (
      <aside className="agenda-detail">
        <Skeleton lines={6} />
      </aside>
    )
  if (query.error)
    return (
      <aside className="agenda-detail">
        <ProblemLine text={sentence(query.error)} />
      </aside>
    )
  const item = query.data
  const one = item.occurrences.find(other => other.at === at) ?? item.occurrences.find(other => !other.cancelled)
  return <Shown item={item} one={one} />
}

function Shown({ item, one }: { item: AgendaItem; one: Occurrence | undefined }) {
  const t = useT()
  const [editing, setEditing] = useState(false)
  const [cancelling, setCancelling] = useState<'one' | 'all'>()
  const [run, pending] = useCommand()
  const queries = useQueryClient()
  const again = () => queries.invalidateQueries({ queryKey: ['agenda'] })
  const may = (what: AgendaItem['may'][number]) => item.may.includes(what)
  const leads = may('start') && one !== undefined
  const open = one !== undefined && enterable(one, hub.now())
  const mayPost = useCan('roll.post')
  const [asking, setAsking] = useState(false)
  const go = async () => {
    const act = leads && one.state === 'planned' ? 'start' : 'enter'
    const { consultation_id } = await agendaApi[act](item.id, one?.at ?? 0)
    navigate(`/room/${consultation_id}`)
    return consultation_id
  }
  const roll = async () => openRollStart(await go(), { organisations: item.organisations, people: item.people })
  const cancel = async () => {
    const done = await run(async () => {
      if (cancelling === 'one' && one) await agendaApi.changeOne(item.id, one.at, item.rev, { cancelled: true })
      else await agendaApi.cancel(item.id)
      await again()
    })
    if (done) setCancelling(undefined)
  }
  const counts = one && tally(item, one.at)
  const words = repeatWord(item.repeats)
  return (
    <aside className="agenda-detail" aria-label={item.title} data-testid="agenda-detail">
      <h2>{item.title}</h2>
      <p className="agenda-when">
        {one
          ? `${chinaDay(one.starts_at)} ${chinaTime(one.starts_at)}–${chinaTime(one.ends_at)}`
          : chinaDay(item.starts_at)}
      </p>
      <p className="note">
        {t(`agenda.repeat.${words}`, { count: item.repeats.interval })} · {t(`label.${item.label}`)} ·{' '}
        {t(`agenda.begins.${item.begins}`)} · {t('agenda.early', { minutes: item.early_minutes })}
      </p>
      {item.cancelled && <p className="chip inverse">{t('agenda.cancelled')}</p>}
      <div className="agenda-buttons">
        {open && (
          <Button
            look="primary"
            icon={<LogIn size={16} />}
            pending={pending && t('agenda.enter')}
            onClick={() => void run(go)}
            data-testid="agenda-enter"
          >
            {t(leads && one.state === 'planned' ? 'agenda.start' : 'agenda.enter')}
          </Button>
        )}
        {open && leads && (
          <Button
            icon={<ListOrdered size={16} />}
            pending={pending && t('roll.beginning')}
            title={t('roll.ofAgendaHint')}
            onClick={() => void run(roll)}
            data-testid="agenda-roll"
          >
            {t('roll.ofAgenda')}
          </Button>
        )}
        {!open && mayPost && may('edit') && one?.state === 'planned' && !item.cancelled && (
          <Button
            icon={<ClipboardCheck size={16} />}
            title={t('roll.postsOfAgendaHint')}
            onClick={() => setAsking(true)}
            data-testid="agenda-posts"
          >
            {t('roll.postsOfAgenda')}
          </Button>
        )}
        {may('edit') && (
          <Button icon={<Pencil size={16} />} onClick={() => setEditing(true)} data-testid="agenda-edit">
            {t('agenda.edit')}
          </Button>
        )}
        <a className="btn" href={agendaApi.calendar(item.id)} download>
          <Calendar size={16} /> {t('agenda.ics')}
        </a>
        {may('edit') && one?.series && one.state === 'planned' && (
          <Button onClick={() => setCancelling('one')}>{t('agenda.cancelOne')}</Button>
        )}
        {may('edit') && (
          <Button icon={<Trash2 size={16} />} onClick={() => setCancelling('all')} data-testid="agenda-cancel">
            {t(one?.series ? 'agenda.cancelAll' : 'agenda.cancel')}
          </Button>
        )}
      </div>
      {may('reply') && <ReplyPart item={item} one={one} />}
      {item.notes && <p className="agenda-notes">{item.notes}</p>}
      <h3>{t('agenda.invited')}</h3>
      <p>
        {[...item.organisations.map(org => org.name), ...item.people.map(one => `${one.name}（${one.org_name}）`)].join(
          '、',
        ) || t('agenda.nobody')}
      </p>
      {counts && (
        <p className="note" data-testid="agenda-tally">
          {(['accepted', 'tentative', 'declined'] as const)
            .map(reply => `${t(`agenda.reply.${reply}`)} ${counts[reply]}`)
            .join(' · ')}
        </p>
      )}
      <ul className="agenda-replies">
        {item.replies.map(reply => (
          <li key={`${reply.person.id}/${reply.at}`}>
            {reply.person.name} · {t(`agenda.reply.${reply.reply}`)}
            {reply.at !== null && ` · ${chinaDay(reply.at * 1000)}`} {reply.comment && `「${reply.comment}」`}
          </li>
        ))}
      </ul>
      <Files item={item} may={may('edit')} onChange={again} />
      {one && <AttendancePart item={item} one={one} may={may('edit')} />}
      {one && <MinutesPart item={item} one={one} may={may('edit')} />}
      {asking && (
        <AskDialog
          title={t('roll.postsOf', { title: item.title })}
          invited={{ organisations: item.organisations, people: item.people }}
          onDone={() => {
            setAsking(false)
            navigate('/posts')
          }}
          onClose={() => setAsking(false)}
        />
      )}
      {editing && (
        <ScheduleDialog
          item={item}
          onDone={() => {
            setEditing(false)
            void again()
          }}
          onClose={() => setEditing(false)}
        />
      )}
      {cancelling && (
        <Confirm
          title={t('agenda.cancelTitle', { title: item.title })}
          body={t(cancelling === 'one' ? 'agenda.cancelOneBody' : 'agenda.cancelBody')}
          act={t('agenda.cancel')}
          pending={pending && t('agenda.cancel')}
          onConfirm={() => void cancel()}
          onClose={() => setCancelling(undefined)}
        />
      )}
    </aside>
  )
}

function ReplyPart({ item, one }: { item: AgendaItem; one: Occurrence | undefined }) {
  const t = useT()
  const queries = useQueryClient()
  const [comment, setComment] = useState('')
  const [run, pending] = useCommand()
  const reply = (said: Reply, at?: number) =>
    void run(async () => {
      queries.setQueryData(['agenda', 'item', item.id], await agendaApi.reply(item.id, said, comment.trim(), at))
      await queries.invalidateQueries({ queryKey: ['agenda', 'list'] })
    })
  return (
    <div className="agenda-reply" aria-busy={pending}>
      <div className="tabs" role="group" aria-label={t('agenda.replyTitle')}>
        {(['accepted', 'tentative', 'declined'] as const).map(said => (
          <button
            type="button"
            key={said}
            aria-pressed={one?.reply === said}
            onClick={() => reply(said)}
            data-testid={`agenda-${said}`}
          >
            {t(`agenda.reply.${said}`)}
          </button>
        ))}
      </div>
      <Field
        label={t('agenda.comment')}
        value={comment}
        maxLength={200}
        onChange={event => setComment(event.target.value)}
      />
      {one?.series && (
        <Button size="small" onClick={() => reply('declined', one.at)}>
          {t('agenda.declineOne')}
        </Button>
      )}
    </div>
  )
}

const kinds: Record<string, string> = {
  pdf: 'application/pdf',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  txt: 'text/plain',
  csv: 'text/csv',
  md: 'text/markdown',
}

function Files({ item, may, onChange }: { item: AgendaItem; may: boolean; onChange(): Promise<void> }) {
  const t = useT()
  const input = useRef<HTMLInputElement>(null)
  const [run, pending] = useCommand()
  const add = (files: FileList | null) => {
    const file = files?.[0]
    if (!file) return
    const type = kinds[file.name.split('.').pop()?.toLowerCase() ?? ''] ?? 'application/octet-stream'
    void run(async () => {
      await agendaApi.addMaterial(item.id, file.name, type, await file.arrayBuffer())
      await onChange()
    })
  }
  return (
    <>
      <h3>{t('agenda.materials')}</h3>
      <ul className="agenda-files">
        {item.materials.map(one => (
          <li key={one.id}>
            <FileText size={16} />
            <a href={agendaApi.material(item.id, one.id)} download className="cut">
              {one.name}
            </a>
            <small>{t('agenda.size', { kilobytes: Math.ceil(one.size / 1024) })}</small>
            {may && (
              <Button
                size="small"
                square
                look="ghost"
                icon={<Trash2 size={14} />}
                aria-label={t('agenda.removeFile', { name: one.name })}
                onClick={() =>
                  void run(async () => {
                    await agendaApi.removeMaterial(item.id, one.id)
                    await onChange()
                  })
                }
              />
            )}
          </li>
        ))}
        {item.materials.length === 0 && <li className="note">{t('agenda.noFiles')}</li>}
      </ul>
      {may && (
        <>
          <input ref={input} type="file" hidden onChange={event => add(event.target.files)} data-testid="agenda-file" />
          <Button
            size="small"
            icon={<Paperclip size={14} />}
            pending={pending && t('agenda.addFile')}
            onClick={() => input.current?.click()}
          >
            {t('agenda.addFile')}
          </Button>
        </>
      )}
    </>
  )
}
