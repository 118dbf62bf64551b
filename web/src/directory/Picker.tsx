import { useQuery } from '@tanstack/react-query'
import { Delete, X } from 'lucide-react'
import { type KeyboardEvent, useMemo, useRef, useState } from 'react'
import { sentence, useSettled } from '../app/command'
import { hub, useHub, usePresence } from '../app/hub'
import { useT } from '../i18n'
import { Button, Empty, Marked, ProblemLine, SearchField, Skeleton } from '../ui/controls'
import { api } from './api'
import { useContacts } from './book'
import {
  chosenAfter,
  condensed,
  type Entry,
  ofPerson,
  personOf,
  shownPresence,
  targetOf,
  withSpeed,
} from './directory.model'
import { KindIcon, Presence } from './marks'

interface Props {
  chosen: readonly Entry[]
  onChange(chosen: Entry[]): void
  /** Only one: the last that was pressed. */
  one?: boolean | undefined
  /** People that are in already. */
  without?: ReadonlySet<string> | undefined
  /** With keys for a number. */
  pad?: boolean | undefined
}

/** Whom: from the address book by a few letters or a number, what is at hand first. */
export function Picker({ chosen, onChange, one, without, pad }: Props) {
  const t = useT()
  const me = useHub(state => state.session?.person.id ?? '')
  const [q, setQ] = useState('')
  const list = useRef<HTMLDivElement>(null)
  const found = useFound(useSettled(q.trim(), 120))
  const entries = found.entries.filter(entry => {
    const person = personOf(entry)
    return targetOf(entry) && person !== me && !(person && without?.has(person))
  })
  const presence = usePresence(entries.slice(0, 100).flatMap(entry => personOf(entry) ?? []))
  const press = (entry: Entry) =>
    onChange(one ? (chosen.some(c => c.id === entry.id) ? [] : [entry]) : chosenAfter(chosen, entry, me))
  const digits = /^[\d*#+ -]{3,}$/.test(q.trim())
  return (
    <div className="invitees picker">
      <SearchField
        label={t('call.searchHint')}
        value={q}
        onChange={setQ}
        data-focus
        inputMode={pad ? 'tel' : 'text'}
        onKeyDown={event => {
          if (event.key === 'ArrowDown') list.current?.querySelector<HTMLElement>('button')?.focus()
          else if (event.key === 'Enter' && entries[0] && q.trim()) press(entries[0])
          else return
          event.preventDefault()
        }}
        data-testid="invitee-search"
      />
      {pad && <Pad onPress={key => setQ(q + key)} onErase={() => setQ(q.slice(0, -1))} />}
      {chosen.length > 0 && (
        <div className="chips" aria-live="polite">
          {chosen.map(entry => (
            <button
              type="button"
              className="chip accent"
              key={entry.id}
              aria-label={t('create.removeChosen', { name: entry.name })}
              onClick={() => onChange(chosen.filter(c => c.id !== entry.id))}
            >
              {entry.owner?.name || entry.name} <X size={12} />
            </button>
          ))}
        </div>
      )}
      <div className="invitee-list" ref={list} role="group" aria-label={t('create.who')} onKeyDown={moveFocus}>
        {found.error != null && <ProblemLine text={sentence(found.error)} />}
        {found.loading && <Skeleton lines={4} />}
        {entries.map(entry => (
          <button
            type="button"
            role="checkbox"
            aria-checked={chosen.some(c => c.id === entry.id)}
            className="option"
            key={entry.id}
            onClick={() => press(entry)}
            data-testid={
              entry.kind === 'organisation'
                ? 'invitee-org'
                : entry.kind === 'person'
                  ? 'invitee-person'
                  : `invitee-${entry.kind}`
            }
            data-name={entry.name}
          >
            <i className={`box${chosen.some(c => c.id === entry.id) ? ' on' : ''}`} />
            <KindIcon kind={entry.kind} size={15} />
            <span className="cut">
              <Marked text={entry.kind === 'endpoint' ? (entry.owner?.name ?? entry.name) : entry.name} q={q} />
            </span>
            <small className="cut grow">
              {[entry.kind === 'organisation' ? '' : entry.org.name, entry.about].filter(Boolean).join(' · ')}
            </small>
            <Presence state={shownPresence(entry, presence)} />
          </button>
        ))}
        {!found.loading && found.error == null && entries.length === 0 && (
          <Empty text={digits ? t('call.nobodyHas') : t('common.nothingFound', { q: q.trim() })} />
        )}
      </div>
    </div>
  )
}

function useFound(q: string): { entries: Entry[]; loading: boolean; error: unknown } {
  const contacts = useContacts()
  const search = useQuery({
    queryKey: ['directory', 'search', q],
    queryFn: () => api.search(q),
    enabled: q !== '',
    placeholderData: before => before,
  })
  const people = useQuery({ queryKey: ['people', ''], queryFn: () => hub.api.people(''), enabled: q === '' })
  const first = useMemo(() => {
    const kept = contacts.items
    const others = (people.data?.items ?? []).map(ofPerson)
    return [...kept, ...others.filter(other => !kept.some(one => one.id === other.id))]
  }, [contacts.items, people.data])
  const hits = useMemo(
    () => withSpeed<Entry>(condensed<Entry>(search.data?.items ?? []), contacts.items, q),
    [search.data, contacts.items, q],
  )
  return q === ''
    ? { entries: first, loading: people.isPending, error: people.error ?? contacts.error }
    : { entries: hits, loading: search.isPending, error: search.error }
}

function moveFocus(event: KeyboardEvent<HTMLDivElement>): void {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
  if (!step) return
  const all = [...event.currentTarget.querySelectorAll<HTMLElement>('button')]
  all[all.indexOf(document.activeElement as HTMLElement) + step]?.focus()
  event.preventDefault()
}

const padKeys = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '0', '#']

/** Numbers that are in the address book are dialled by whom they belong to. */
function Pad({ onPress, onErase }: { onPress(key: string): void; onErase(): void }) {
  const t = useT()
  return (
    <div className="dial-pad" role="group" aria-label={t('call.pad')}>
      {padKeys.map(key => (
        <Button
          key={key}
          size="large"
          aria-label={t('call.padKey', { key })}
          onClick={() => onPress(key)}
          data-testid={`pad-${key}`}
        >
          {key}
        </Button>
      ))}
      <Button
        className="dial-erase"
        icon={<Delete size={18} />}
        aria-label={t('call.padErase')}
        onClick={onErase}
        data-testid="pad-erase"
      />
    </div>
  )
}
