import { useQuery } from '@tanstack/react-query'
import { X } from 'lucide-react'
import { useRef, useState } from 'react'
import { sentence, useSettled } from '../app/command'
import { hub, usePresence } from '../app/hub'
import type { PresenceState } from '../hub/terminal'
import type { Organisation, Person } from '../hub/types'
import { useT } from '../i18n'
import { Empty, Marked, ProblemLine, SearchField, Skeleton } from '../ui/controls'

export interface Chosen {
  organisations: { id: string; name: string }[]
  people: { id: string; name: string }[]
}

export const nobody: Chosen = { organisations: [], people: [] }

type Kind = keyof Chosen

export function toggled(chosen: Chosen, kind: Kind, item: { id: string; name: string }): Chosen {
  const has = chosen[kind].some(c => c.id === item.id)
  const next = has ? chosen[kind].filter(c => c.id !== item.id) : [...chosen[kind], { id: item.id, name: item.name }]
  return { ...chosen, [kind]: next }
}

interface Props {
  chosen: Chosen
  onChange(chosen: Chosen): void
  /** Ids that are in already and need no second invitation. */
  without?: ReadonlySet<string>
  /** The dialog opens on the search field. */
  focus?: boolean
}

/** One search over organisations and people; what is chosen stands above as chips. */
export function Invitees({ chosen, onChange, without, focus }: Props) {
  const t = useT()
  const [q, setQ] = useState('')
  const wanted = useSettled(q.trim())
  const list = useRef<HTMLDivElement>(null)
  const organisations = useQuery({
    queryKey: ['organisations'],
    queryFn: () => hub.api.organisations(),
    staleTime: 60_000,
  })
  const people = useQuery({
    queryKey: ['people', wanted],
    queryFn: () => hub.api.people(wanted),
    placeholderData: before => before,
  })
  const orgs = (organisations.data?.items ?? []).filter(o => matches(o, wanted) && !without?.has(o.id)).slice(0, 60)
  const persons = (people.data?.items ?? []).filter(p => !without?.has(p.id))
  const me = hub.store.getState().session?.person.id
  const others = persons.filter(p => p.id !== me)
  const presence = usePresence(others.map(p => p.id))
  const problem = organisations.error ?? people.error
  const pick = (kind: Kind, item: { id: string; name: string }) => onChange(toggled(chosen, kind, item))
  const has = (kind: Kind, id: string) => chosen[kind].some(c => c.id === id)

  return (
    <div className="invitees">
      <SearchField
        label={t('create.whoHint')}
        value={q}
        onChange={setQ}
        data-focus={focus || undefined}
        onKeyDown={event => {
          if (event.key !== 'ArrowDown') return
          event.preventDefault()
          list.current?.querySelector<HTMLElement>('button')?.focus()
        }}
        data-testid="invitee-search"
      />
      <ChosenChips chosen={chosen} onDrop={pick} />
      <div className="invitee-list" ref={list} onKeyDown={moveFocus} role="group" aria-label={t('create.who')}>
        {problem && <ProblemLine text={sentence(problem)} />}
        {(organisations.isPending || people.isPending) && !problem && <Skeleton lines={4} />}
        {orgs.length > 0 && <h3>{t('create.organisations')}</h3>}
        {orgs.map(o => (
          <Option
            key={o.id}
            on={has('organisations', o.id)}
            onPick={() => pick('organisations', o)}
            name={o.name}
            q={wanted}
            testid="invitee-org"
          />
        ))}
        {others.length > 0 && <h3>{t('create.people')}</h3>}
        {others.map(p => (
          <PersonOption
            key={p.id}
            person={p}
            presence={presence[p.id] ?? (p.online ? 'idle' : 'offline')}
            q={wanted}
            on={has('people', p.id)}
            onPick={() => pick('people', p)}
          />
        ))}
        {!problem && people.data && orgs.length + others.length === 0 && (
          <Empty text={t('common.nothingFound', { q: wanted })} />
        )}
      </div>
    </div>
  )
}

function matches(organisation: Organisation, q: string): boolean {
  const text = `${organisation.name} ${organisation.short} ${organisation.name_en ?? ''}`.toLowerCase()
  return text.includes(q.toLowerCase())
}

function moveFocus(event: React.KeyboardEvent<HTMLDivElement>): void {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
  if (!step) return
  const all = [...event.currentTarget.querySelectorAll<HTMLElement>('button')]
  all[all.indexOf(document.activeElement as HTMLElement) + step]?.focus()
  event.preventDefault()
}

interface OptionProps {
  name: string
  q: string
  on: boolean
  onPick(): void
  note?: string
  presence?: PresenceState
  testid: string
}

function Option({ name, q, on, onPick, note, presence, testid }: OptionProps) {
  const t = useT()
  return (
    <button
      type="button"
      role="checkbox"
      aria-checked={on}
      className="option"
      onClick={onPick}
      data-testid={testid}
      data-name={name}
    >
      <i className={`box${on ? ' on' : ''}`} />
      <span className="cut">
        <Marked text={name} q={q} />
      </span>
      <small className="cut grow">{note}</small>
      {presence !== undefined && (
        <small className="presence" data-presence={presence}>
          <i className={`dot is-${presence}`} />
          {t(`terminal.presence.${presence}`)}
        </small>
      )}
    </button>
  )
}

interface PersonProps {
  person: Person
  presence: PresenceState
  q: string
  on: boolean
  onPick(): void
}

function PersonOption({ person, presence, q, on, onPick }: PersonProps) {
  const note = [person.org.name, person.post].filter(Boolean).join(' · ')
  return (
    <Option name={person.name} note={note} q={q} on={on} onPick={onPick} presence={presence} testid="invitee-person" />
  )
}

function ChosenChips({
  chosen,
  onDrop,
}: {
  chosen: Chosen
  onDrop(kind: Kind, item: { id: string; name: string }): void
}) {
  const t = useT()
  const all = [
    ...chosen.organisations.map(item => ({ kind: 'organisations' as const, item })),
    ...chosen.people.map(item => ({ kind: 'people' as const, item })),
  ]
  if (all.length === 0) return <p className="note">{t('create.nobody')}</p>
  return (
    <div className="chips" aria-live="polite">
      <span className="note">{t('create.chosen', { count: all.length })}</span>
      {all.map(({ kind, item }) => (
        <button
          type="button"
          className="chip accent"
          key={item.id}
          aria-label={t('create.removeChosen', { name: item.name })}
          onClick={() => onDrop(kind, item)}
        >
          {item.name} <X size={12} />
        </button>
      ))}
    </div>
  )
}
