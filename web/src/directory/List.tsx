import { ArrowLeft, Phone, Video } from 'lucide-react'
import { type KeyboardEvent, type ReactNode, useEffect, useMemo, useState } from 'react'
import { sentence, useCommand } from '../app/command'
import { useCan, useHub } from '../app/hub'
import { desk } from '../calls/desk'
import { VirtualRows } from '../cameras/VirtualRows'
import { VerbMenu } from '../dispatch/VerbMenu'
import type { PresenceState } from '../hub/terminal'
import { useT } from '../i18n'
import { Avatar, Button, Empty, Marked, ProblemLine, Skeleton } from '../ui/controls'
import { useKeys } from '../ui/keys'
import { AdminMenu } from './AdminMenu'
import { type Listed, loadedBranch, type Shelf, useTree } from './book'
import { type Entry, pathOf, personOf, shownPresence, targetOf } from './directory.model'
import { ConnectivityMark, KindIcon, Presence } from './marks'
import { SelectionBar } from './SelectionBar'

interface Props {
  shelf: Shelf
  q: string
  listed: Listed
  presence: Record<string, PresenceState>
  shown: Entry | undefined
  chosen: readonly Entry[]
  onShow(entry: Entry): void
  onChoose(entry: Entry): void
  onClear(): void
  onBack(): void
}

const rowHeight = 60
type Row = { key: string; entry: Entry } | { key: 'more'; entry: undefined }

/** Seats and people of an organisation, what was found, or what is at hand. */
export function List(props: Props) {
  const { q, listed, presence, shown, chosen, onShow, onChoose } = props
  const t = useT()
  const me = useHub(state => state.session?.person.id ?? '')
  const mayCall = useCan('call.make')
  const [mark, setMark] = useState<string>()
  const [run] = useCommand()
  const hasMore = listed.more !== undefined
  const rows = useMemo(() => {
    const all: Row[] = listed.entries.map(entry => ({ key: entry.id, entry }))
    return hasMore ? [...all, { key: 'more', entry: undefined } as const] : all
  }, [listed.entries, hasMore])
  const at = rows.findIndex(row => row.key === (mark ?? shown?.id))
  const marked = rows[at]?.entry
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list has another mark
  useEffect(() => setMark(undefined), [q, props.shelf])
  const call = (entry: Entry | undefined, video: boolean) => {
    const target = entry && targetOf(entry)
    if (mayCall && target && target.person !== me) void run(() => desk.call([target], video))
  }
  useKeys('directory', {
    bookCall: () => call(marked, false),
    bookVideo: () => call(marked, true),
    bookChoose: () => marked && onChoose(marked),
  })
  const keys = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key]
    if (by !== undefined) {
      const to = Math.min(Math.max(at + by, 0), listed.entries.length - 1)
      const next = rows[to]
      if (next) setMark(next.key)
    } else if (event.key === 'Enter' && marked) onShow(marked)
    else return
    event.preventDefault()
  }
  return (
    <section className="book-list" aria-label={t('directory.list')}>
      <Head {...props} />
      {listed.error !== null && listed.error !== undefined && <ProblemLine text={sentence(listed.error)} />}
      {listed.loading && <Skeleton lines={6} />}
      {!listed.loading && !listed.error && rows.length === 0 && <Nothing shelf={props.shelf} q={q} />}
      <div
        className="book-rows"
        onKeyDown={keys}
        onFocus={() => mark === undefined && at < 0 && setMark(rows[0]?.key)}
        role="presentation"
      >
        <VirtualRows
          id="book-list"
          className="book-scroll"
          label={t('directory.list')}
          role="listbox"
          rows={rows}
          rowHeight={rowHeight}
          at={at}
          onEdge={row => {
            if (row.key === 'more') listed.more?.()
          }}
          render={row =>
            row.entry ? (
              <EntryRow
                entry={row.entry}
                q={q}
                presence={shownPresence(row.entry, presence)}
                me={personOf(row.entry) === me}
                marked={row.key === (mark ?? shown?.id)}
                chosen={chosen.some(one => one.id === row.key)}
                home={props.shelf.at === 'org' && !q}
                onShow={() => {
                  setMark(row.key)
                  onShow(row.entry)
                }}
                onChoose={() => onChoose(row.entry)}
                onCall={mayCall ? video => call(row.entry, video) : undefined}
              />
            ) : (
              <div className="book-row quiet">
                <span className="spin" /> {t('common.loading')}
              </div>
            )
          }
        />
      </div>
      {chosen.length > 0 && <SelectionBar chosen={chosen} onDrop={onChoose} onClear={props.onClear} />}
    </section>
  )
}

function Head({ shelf, q, listed, onBack, onShow }: Props) {
  const t = useT()
  const tree = useTree()
  const branch = shelf.at === 'org' && !q ? loadedBranch(shelf.id) : undefined
  const above = branch ? pathOf(tree, branch.id).slice(0, -1) : []
  const count = listed.cut || listed.more ? `${listed.entries.length}+` : String(listed.entries.length)
  const title = q
    ? t('directory.found', { count })
    : shelf.at === 'org'
      ? (branch?.name ?? shelf.name)
      : t(`directory.${shelf.at}`)
  return (
    <header className="book-head">
      <Button
        className="book-back"
        look="ghost"
        square
        icon={<ArrowLeft size={18} />}
        aria-label={t('directory.back')}
        onClick={onBack}
      />
      <div className="grow">
        <h1 className="cut">{title}</h1>
        <p className="note cut" role="status" data-testid="book-count">
          {listed.cut
            ? t('directory.cut')
            : branch
              ? [...above.map(one => one.name), t('directory.people', { count: branch.people })].join(' · ')
              : ''}
        </p>
      </div>
      {branch && <ConnectivityMark of={branch.connectivity} word />}
      {branch && <AdminMenu branch={branch} onShow={onShow} />}
    </header>
  )
}

function Nothing({ shelf, q }: { shelf: Shelf; q: string }) {
  const t = useT()
  if (q) return <Empty text={t('common.nothingFound', { q })} />
  return <Empty text={t(shelf.at === 'org' ? 'directory.nobody' : `directory.no.${shelf.at}`)} />
}

interface RowProps {
  entry: Entry
  q: string
  /** The list is its organisation's own. */
  home: boolean
  presence: PresenceState | undefined
  me: boolean
  marked: boolean
  chosen: boolean
  onShow(): void
  onChoose(): void
  onCall: ((video: boolean) => void) | undefined
}

function EntryRow({ entry, q, home, presence, me, marked, chosen, onShow, onChoose, onCall }: RowProps) {
  const t = useT()
  const callable = targetOf(entry) !== undefined && !me
  const person = personOf(entry)
  return (
    <div
      className={`book-row${marked ? ' marked' : ''}${chosen ? ' chosen' : ''}`}
      role="option"
      aria-selected={chosen}
      onClick={onShow}
      data-testid="book-entry"
      data-kind={entry.kind}
      data-name={entry.name}
    >
      <button
        type="button"
        className="book-pick"
        role="checkbox"
        aria-checked={chosen}
        aria-label={t('directory.choose', { name: entry.name })}
        aria-disabled={!callable}
        tabIndex={-1}
        onClick={event => {
          event.stopPropagation()
          if (callable) onChoose()
        }}
        data-testid="book-pick"
      >
        <i className={`box${chosen ? ' on' : ''}`} />
      </button>
      {entry.kind === 'person' ? (
        <Avatar name={entry.name} />
      ) : (
        <span className="avatar">
          <KindIcon kind={entry.kind} size={16} />
        </span>
      )}
      <Words entry={entry} q={q} me={me} home={home} />
      {entry.speed != null && <kbd className="kbd">{entry.speed}</kbd>}
      {entry.level !== undefined && <span className="chip">{t('directory.level', { level: entry.level })}</span>}
      <Presence state={presence} />
      <span className="book-acts">
        {marked && person && !me && (
          <VerbMenu
            target={{ id: person, name: entry.owner?.name ?? entry.seat?.sitting?.name ?? entry.name }}
            look="ghost"
            square
          />
        )}
        {onCall && callable && (
          <>
            <Act label={t('directory.call', { name: entry.name })} onPress={() => onCall(false)} testid="book-call">
              <Phone size={16} />
            </Act>
            <Act
              label={t('directory.videoCall', { name: entry.name })}
              onPress={() => onCall(true)}
              testid="book-video"
            >
              <Video size={16} />
            </Act>
          </>
        )}
      </span>
    </div>
  )
}

function Words({ entry, q, me, home }: Pick<RowProps, 'entry' | 'q' | 'me' | 'home'>) {
  const t = useT()
  const number = entry.kind === 'endpoint'
  const name = number ? (entry.owner?.name ?? entry.name) : entry.name
  const about = number
    ? [entry.endpoint && t(`directory.endpoint.${entry.endpoint}`), entry.name, entry.about]
    : [
        entry.kind === 'seat' && !entry.about ? t('directory.nobodySits') : entry.about,
        !home && entry.org.name !== entry.name && entry.org.name,
      ]
  return (
    <span className="two grow">
      <strong className="cut">
        <Marked text={name} q={q} />
        {me && <small>{t('common.me')}</small>}
      </strong>
      <small className="cut">{about.filter(Boolean).join(' · ')}</small>
    </span>
  )
}

function Act({
  label,
  onPress,
  testid,
  children,
}: {
  label: string
  onPress(): void
  testid: string
  children: ReactNode
}) {
  return (
    <Button
      look="ghost"
      square
      aria-label={label}
      title={label}
      tabIndex={-1}
      icon={children}
      onClick={event => {
        event.stopPropagation()
        onPress()
      }}
      data-testid={testid}
    />
  )
}
