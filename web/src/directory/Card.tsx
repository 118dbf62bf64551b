import { useQuery, useQueryClient } from '@tanstack/react-query'
import { ArrowLeft, Pencil, Phone, Radio, Star, UserPlus, Video } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { sentence, useCommand } from '../app/command'
import { useCan, useHub } from '../app/hub'
import { desk } from '../calls/desk'
import { VerbMenu } from '../dispatch/VerbMenu'
import { HubError } from '../hub/http'
import type { PresenceState } from '../hub/terminal'
import { useT } from '../i18n'
import { Avatar, Button, Empty, ProblemLine } from '../ui/controls'
import { api, type Plural } from './api'
import { loadedBranch, useAdministers, useContacts } from './book'
import {
  type Connectivity,
  type Endpoint,
  type Entry,
  freeSpeed,
  ofSeat,
  personOf,
  shownPresence,
  targetOf,
} from './directory.model'
import { EditDialog } from './EditDialog'
import { InviteInto, useRunning } from './InviteInto'
import { ConnectivityMark, KindIcon, Presence } from './marks'
import { SeatDesk } from './SeatDesk'
import { AddToGroup } from './ToGroup'

interface Props {
  entry: Entry | undefined
  presence: Record<string, PresenceState>
  onShow(entry: Entry): void
  onBack(): void
  onGone(): void
}

const plurals: Partial<Record<Entry['kind'], Plural>> = {
  organisation: 'organisations',
  person: 'people',
  seat: 'seats',
  place: 'places',
}

/** One entry: what it is, how it can be met, and everything that can be done with it. */
export function Card({ entry, presence, onShow, onBack, onGone }: Props) {
  const t = useT()
  const [editing, setEditing] = useState(false)
  const mayEdit = useAdministers(entry?.org.id ?? '')
  // A search says less than the record, which not everybody may read.
  const record = useQuery({
    queryKey: ['directory', 'person', entry?.id],
    queryFn: () => api.person(entry?.id ?? ''),
    enabled: entry?.kind === 'person',
    retry: false,
  })
  const level = entry?.level ?? record.data?.level
  if (!entry)
    return (
      <aside className="book-card" aria-label={t('directory.details')}>
        <Empty text={t('directory.noneShown')} />
      </aside>
    )
  const plural = plurals[entry.kind]
  const name = entry.kind === 'endpoint' ? (entry.owner?.name ?? entry.name) : entry.name
  return (
    <aside className="book-card" aria-label={t('directory.details')} data-testid="book-card" data-name={name}>
      <header>
        <Button
          className="book-back"
          look="ghost"
          square
          icon={<ArrowLeft size={18} />}
          aria-label={t('directory.back')}
          onClick={onBack}
        />
        {entry.kind === 'person' ? (
          <Avatar name={name} />
        ) : (
          <span className="avatar">
            <KindIcon kind={entry.kind} />
          </span>
        )}
        <div className="grow">
          <h2 className="cut">{name}</h2>
          <p className="note cut">
            {[
              entry.kind !== 'organisation' && entry.org.name,
              entry.kind === 'person' && (record.data?.post ?? entry.about),
            ]
              .filter(Boolean)
              .join(' · ')}
          </p>
        </div>
        <Favourite entry={entry} />
      </header>
      <div className="book-facts">
        <Presence state={shownPresence(entry, presence)} />
        {level !== undefined && <span className="chip">{t('directory.level', { level })}</span>}
        {plural && mayEdit && (
          <Button size="small" icon={<Pencil size={14} />} onClick={() => setEditing(true)} data-testid="book-edit">
            {t('directory.edit')}
          </Button>
        )}
      </div>
      <Acts entry={entry} />
      {entry.kind === 'seat' && <SeatDesk entry={entry} />}
      {entry.kind === 'organisation' && <Reach org={entry.id} onShow={onShow} />}
      {entry.kind === 'person' && <Endpoints owner="person" id={entry.id} edits={mayEdit} />}
      {entry.kind === 'seat' && <Endpoints owner="seat" id={entry.id} edits={mayEdit} />}
      {entry.kind === 'place' && <Endpoints owner="place" id={entry.id} edits={mayEdit} />}
      {editing && plural && (
        <EditDialog plural={plural} id={entry.id} name={entry.name} onClose={() => setEditing(false)} onGone={onGone} />
      )}
    </aside>
  )
}

function Acts({ entry }: { entry: Entry }) {
  const t = useT()
  const me = useHub(state => state.session?.person.id)
  const mayCall = useCan('call.make')
  const mayGroup = useCan('group.edit')
  const running = useRunning()
  const [dialog, setDialog] = useState<'invite' | 'add'>()
  const [run, pending] = useCommand()
  const target = targetOf(entry)
  const person = personOf(entry)
  if (!target || person === me) return null
  const close = () => setDialog(undefined)
  return (
    <div className="book-buttons">
      {mayCall && (
        <>
          <Button
            look="primary"
            icon={<Phone size={16} />}
            hint="bookCall"
            pending={pending && t('call.pending')}
            onClick={() => void run(() => desk.call([target]))}
            data-testid="card-call"
          >
            {t('call.act')}
          </Button>
          <Button
            icon={<Video size={16} />}
            hint="bookVideo"
            onClick={() => void run(() => desk.call([target], true))}
            data-testid="card-video"
          >
            {t('directory.video')}
          </Button>
        </>
      )}
      {running.length > 0 && (
        <Button icon={<UserPlus size={16} />} onClick={() => setDialog('invite')} data-testid="card-invite">
          {t('directory.invite')}
        </Button>
      )}
      {mayGroup && person && (
        <Button icon={<Radio size={16} />} onClick={() => setDialog('add')} data-testid="card-add">
          {t('directory.addToGroup')}
        </Button>
      )}
      {person && (
        <VerbMenu target={{ id: person, name: entry.owner?.name ?? entry.seat?.sitting?.name ?? entry.name }} />
      )}
      {dialog === 'invite' && <InviteInto entries={[entry]} onDone={close} onClose={close} />}
      {dialog === 'add' && person && <AddToGroup people={[person]} onDone={close} onClose={close} />}
    </div>
  )
}

/** The star: kept at hand, with the next free speed key. */
function Favourite({ entry }: { entry: Entry }) {
  const t = useT()
  const { items } = useContacts()
  const queries = useQueryClient()
  const [run] = useCommand()
  const kept = items.find(one => one.id === entry.id)
  const toggle = () =>
    void run(async () => {
      if (kept) await api.letGo(entry.id)
      else await api.keep(entry.id, freeSpeed(items))
      await queries.invalidateQueries({ queryKey: ['directory', 'contacts'] })
    })
  return (
    <Button
      look="ghost"
      square
      icon={<Star size={18} fill={kept ? 'currentColor' : 'none'} />}
      aria-pressed={kept !== undefined}
      aria-label={t(kept ? 'directory.unfavour' : 'directory.favour', { name: entry.name })}
      title={
        kept?.speed != null ? t('directory.speed', { key: kept.speed }) : t('directory.favour', { name: entry.name })
      }
      onClick={toggle}
      data-testid="book-star"
    />
  )
}

/** What somebody may not look into is simply not there. */
function hidden(error: unknown): boolean {
  return error instanceof HubError && (error.status === 403 || error.status === 404)
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="book-section">
      <h3>{title}</h3>
      {children}
    </section>
  )
}

function Endpoints({ owner, id, edits }: { owner: 'person' | 'seat' | 'place'; id: string; edits: boolean }) {
  const t = useT()
  const [dialog, setDialog] = useState<Endpoint | 'new'>()
  const query = useQuery({
    queryKey: ['directory', 'endpoints', owner, id],
    queryFn: () => api.endpoints(owner, id),
    retry: false,
  })
  if (query.error) return hidden(query.error) ? null : <ProblemLine text={sentence(query.error)} />
  const items = query.data?.items ?? []
  return (
    <Section title={t('directory.endpoints')}>
      {items.length === 0 && query.data && <p className="note">{t('directory.noEndpoints')}</p>}
      <ul className="book-endpoints">
        {items.map(one => (
          <li key={one.id} data-testid="book-endpoint" data-kind={one.kind}>
            <span className="two grow">
              <span className="cut">{one.address || one.label || t(`directory.endpoint.${one.kind}`)}</span>
              <small className="cut">
                {[t(`directory.endpoint.${one.kind}`), one.address && one.label, one.masked && t('directory.masked')]
                  .filter(Boolean)
                  .join(' · ')}
              </small>
            </span>
            {edits && (
              <Button
                look="ghost"
                size="small"
                square
                icon={<Pencil size={14} />}
                aria-label={t('directory.edit')}
                onClick={() => setDialog(one)}
              />
            )}
          </li>
        ))}
      </ul>
      {edits && (
        <Button size="small" onClick={() => setDialog('new')} data-testid="endpoint-add">
          {t('directory.addEndpoint')}
        </Button>
      )}
      {dialog && (
        <EditDialog
          plural="endpoints"
          {...(dialog !== 'new' && { id: dialog.id })}
          name={dialog === 'new' ? '' : dialog.label || dialog.address}
          base={{ owner_kind: owner, owner_id: id }}
          onClose={() => setDialog(undefined)}
          onGone={() => setDialog(undefined)}
        />
      )}
    </Section>
  )
}

/** How an organisation can be met, and the seat that stands for one that cannot connect. */
function Reach({ org, onShow }: { org: string; onShow(entry: Entry): void }) {
  const t = useT()
  const branch = loadedBranch(org)
  const query = useQuery({ queryKey: ['directory', 'reach', org], queryFn: () => api.report(org), retry: false })
  const found = query.data?.items.find(one => one.org.id === org)
  const liaison = found?.liaison
  const connectivity: Connectivity | undefined = branch?.connectivity
  return (
    <Section title={t('directory.reach')}>
      {connectivity && (
        <p>
          <ConnectivityMark of={connectivity} word />{' '}
          <span className="note">{t(`directory.connectivityHint.${connectivity}`)}</span>
        </p>
      )}
      {liaison && (
        <button
          type="button"
          className="book-liaison"
          onClick={() => onShow(ofSeat(liaison, { id: liaison.org_id, name: '' }))}
          data-testid="book-liaison"
        >
          <KindIcon kind="seat" size={16} />
          <span className="two grow">
            <span>{t('directory.liaison', { name: liaison.name })}</span>
            <small>{liaison.sitting?.name ?? t('directory.nobodySits')}</small>
          </span>
        </button>
      )}
      {found?.problem && <ProblemLine text={t(`directory.problem.${found.problem}`)} />}
      {found && (
        <p className="note">
          {[
            t('directory.accounts', { count: found.accounts }),
            ...Object.entries(found.kinds).map(
              ([kind, count]) => `${t(`directory.endpoint.${kind as Endpoint['kind']}`)} ${count}`,
            ),
          ].join(' · ')}
        </p>
      )}
    </Section>
  )
}
