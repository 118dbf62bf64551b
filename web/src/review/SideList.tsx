import { ChevronDown, ChevronUp, Info, MessageSquarePlus } from 'lucide-react'
import { type Ref, useEffect, useImperativeHandle, useMemo, useRef, useState } from 'react'
import { useCan } from '../app/hub'
import type { RecordingDetail } from '../hub/types'
import { useT } from '../i18n'
import { Button, Empty, Marked, SearchField } from '../ui/controls'
import { clockTime, longDuration } from '../ui/time.model'
import { Everywhere } from './Everywhere'
import type { PlayerEngine, PlayerView } from './engine'
import type { Facts, MarkDesk } from './facts'
import { laneIcon } from './icons'
import { currentEvent, itemText, markItem, searchEvents } from './lanes.model'
import { MarkList } from './MarkList'
import type { LaneItem } from './shapes.model'
import { secondOf, useView } from './useView'

export interface SideListHandle {
  hit(step: -1 | 1): void
  search(): void
  comment(): void
  mark(id: string): void
}

interface Props {
  ref: Ref<SideListHandle>
  recording: RecordingDetail
  engine: PlayerEngine
  facts: Facts
  desk: MarkDesk
}

const tabs = ['text', 'mark', 'events', 'comment'] as const
type Tab = (typeof tabs)[number]

/** What was written, what happened and what reviewers say of it, beside the pictures; a press goes to its second. */
export function SideList({ ref, recording, engine, facts, desk }: Props) {
  const t = useT()
  const [tab, setTab] = useState<Tab>('text')
  const [q, setQ] = useState('')
  const [everywhere, setEverywhere] = useState(false)
  const [hit, setHit] = useState(-1)
  const [editing, setEditing] = useState<string>()
  const box = useRef<HTMLInputElement>(null)
  const comment = useRef<HTMLTextAreaElement>(null)
  const { items, others } = useItems(facts, desk)
  const shown = tab === 'events' ? others : items
  const texts = useMemo(() => shown.map(item => `${item.who ?? ''} ${itemText(item)}`), [shown])
  const hits = useMemo(() => (everywhere ? [] : searchEvents(texts, q)), [texts, q, everywhere])
  const marks = desk.marks.filter(mark => mark.kind === 'mark')
  const comments = desk.marks.filter(mark => mark.kind === 'comment')
  const counts: Record<Tab, number | undefined> = {
    text: undefined,
    mark: marks.length,
    events: others.length,
    comment: comments.length,
  }

  const go = (step: -1 | 1) => {
    if (hits.length === 0) return
    const next = hit < 0 ? (step > 0 ? 0 : hits.length - 1) : (hit + step + hits.length) % hits.length
    setHit(next)
    const item = shown[hits[next] ?? -1]
    if (item) engine.seek(item.at_ms)
  }
  useImperativeHandle(ref, () => ({
    hit: go,
    search: () => box.current?.focus(),
    comment: () => comment.current?.focus(),
    mark: id => {
      setTab('mark')
      setEditing(id)
    },
  }))
  const arrows = (event: React.KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length]
    if (!step || !next) return
    event.preventDefault()
    event.stopPropagation()
    setTab(next)
    event.currentTarget.querySelector<HTMLElement>(`[data-tab="${next}"]`)?.focus()
  }
  return (
    <aside className="side-list" aria-label={t('player.beside')}>
      <div className="underlined" role="tablist" onKeyDown={arrows}>
        {tabs.map(name => (
          <button
            key={name}
            type="button"
            role="tab"
            data-tab={name}
            data-testid={`player-tab-${name}`}
            aria-selected={tab === name}
            tabIndex={tab === name ? 0 : -1}
            onClick={() => setTab(name)}
          >
            {t(`player.tab.${name}`)} {counts[name] !== undefined && <small>{counts[name]}</small>}
          </button>
        ))}
      </div>
      <div className="side-search">
        <SearchField
          label={t(everywhere ? 'player.searchAll' : 'player.searchHint')}
          value={q}
          onChange={value => {
            setQ(value)
            setHit(-1)
          }}
          inputRef={box}
          onKeyDown={event => {
            if (event.key === 'Enter' && !event.nativeEvent.isComposing) go(event.shiftKey ? -1 : 1)
          }}
          data-testid="player-search"
          after={q.trim() && !everywhere && <Hits index={hit} count={hits.length} onGo={go} />}
        />
        <label className="side-scope">
          <input
            type="checkbox"
            checked={everywhere}
            onChange={event => setEverywhere(event.target.checked)}
            data-testid="player-search-all"
          />
          {t('player.everywhere')}
        </label>
      </div>
      {facts.problem && tab !== 'mark' && tab !== 'comment' && <p className="note player-note">{facts.problem}</p>}
      {everywhere && q.trim() ? (
        <Everywhere q={q.trim()} recording={recording.id} onSeek={at => engine.seek(at)} />
      ) : tab === 'mark' || tab === 'comment' ? (
        <MarkList
          key={tab}
          kind={tab}
          marks={tab === 'mark' ? marks : comments}
          desk={desk}
          q={q}
          began={Date.parse(recording.started_at)}
          editing={editing}
          onEdit={setEditing}
          onSeek={at => engine.seek(at)}
        />
      ) : (
        <Lines
          items={shown}
          empty={t(tab === 'text' ? 'player.emptyText' : 'player.emptyEvents')}
          began={Date.parse(recording.started_at)}
          q={q}
          hit={hits[hit]}
          engine={engine}
        />
      )}
      <CommentBox fieldRef={comment} engine={engine} desk={desk} onDone={() => setTab('comment')} />
    </aside>
  )
}

/** Everything in order, with what reviewers marked; and what is nobody's words. */
function useItems(facts: Facts, desk: MarkDesk): { items: LaneItem[]; others: LaneItem[] } {
  return useMemo(() => {
    const known = (facts.lanes?.items ?? []).filter(item => item.lane !== 'mark')
    const items = [...known, ...desk.marks.filter(mark => mark.kind === 'mark').map(markItem)].sort(
      (a, b) => a.at_ms - b.at_ms,
    )
    return { items, others: items.filter(item => item.type !== 'chat' && item.lane !== 'mark') }
  }, [facts.lanes, desk.marks])
}

function Hits({ index, count, onGo }: { index: number; count: number; onGo(step: -1 | 1): void }) {
  const t = useT()
  return (
    <>
      <span className="note" role="status">
        {t('player.hits', { index: count ? Math.max(0, index) + 1 : 0, count })}
      </span>
      <Button
        look="ghost"
        size="small"
        square
        icon={<ChevronUp size={16} />}
        aria-label={t('player.previousHit')}
        onClick={() => onGo(-1)}
      />
      <Button
        look="ghost"
        size="small"
        square
        icon={<ChevronDown size={16} />}
        aria-label={t('player.nextHit')}
        onClick={() => onGo(1)}
      />
    </>
  )
}

interface LinesProps {
  items: LaneItem[]
  empty: string
  began: number
  q: string
  hit: number | undefined
  engine: PlayerEngine
}

/** Around the current line; a day's events are not all drawn. */
const drawn = 400

function Lines({ items, empty, began, q, hit, engine }: LinesProps) {
  const list = useRef<HTMLOListElement>(null)
  const current = useView(engine, (view: PlayerView) => currentEvent(items, view.position))
  const middle = hit ?? current
  const from =
    items.length > drawn ? Math.max(0, Math.min(items.length - drawn, Math.floor(middle / 100) * 100 - 150)) : 0
  useEffect(() => {
    // Only the list moves, not the page around it.
    const box = list.current
    const line = box?.children[middle - from]
    if (!box || !(line instanceof HTMLElement)) return
    const top = line.offsetTop - box.offsetTop
    if (top < box.scrollTop) box.scrollTop = top
    else if (top + line.offsetHeight > box.scrollTop + box.clientHeight)
      box.scrollTop = top + line.offsetHeight - box.clientHeight
  }, [middle, from])
  if (items.length === 0)
    return (
      <div className="side-empty">
        <Empty text={empty} />
      </div>
    )
  return (
    <ol ref={list}>
      {items.slice(from, from + drawn).map((item, i) => (
        <Line
          key={item.id}
          item={item}
          began={began}
          q={q}
          current={i + from === current}
          hit={i + from === hit}
          onSeek={() => engine.seek(item.at_ms)}
        />
      ))}
    </ol>
  )
}

interface LineProps {
  item: LaneItem
  began: number
  q: string
  current: boolean
  hit: boolean
  onSeek(): void
}

function Line({ item, began, q, current, hit, onSeek }: LineProps) {
  const chat = item.type === 'chat'
  const Icon = laneIcon(item.icon) ?? Info
  return (
    <li>
      <button
        type="button"
        className={`${chat ? 'said' : 'happened'}${current ? ' current' : ''}${hit ? ' hit' : ''}`}
        aria-current={current || undefined}
        onClick={onSeek}
        data-testid={chat ? 'player-chat-line' : 'player-event-line'}
        data-at-ms={item.at_ms}
        data-type={item.type}
      >
        {!chat && <Icon size={14} aria-hidden />}
        <span className="grow">
          {chat && (
            <strong>
              <Marked text={item.who ?? ''} q={q} />
            </strong>
          )}
          <span>
            <Marked text={itemText(item)} q={q} />
          </span>
        </span>
        <time className="note">{clockTime(began + item.at_ms)}</time>
      </button>
    </li>
  )
}

interface CommentProps {
  fieldRef: Ref<HTMLTextAreaElement>
  engine: PlayerEngine
  desk: MarkDesk
  onDone(): void
}

/** A comment belongs to the moment at which its writing began. */
function CommentBox({ fieldRef, engine, desk, onDone }: CommentProps) {
  const t = useT()
  const may = useCan('recording.mark')
  const second = useView(engine, secondOf)
  const [text, setText] = useState('')
  const [at, setAt] = useState<number>()
  if (!may) return null
  const send = async () => {
    const words = text.trim()
    if (!words) return
    if (!(await desk.add({ kind: 'comment', at_ms: Math.round(at ?? second), title: '', text: words }))) return
    setText('')
    setAt(undefined)
    onDone()
  }
  const label = t('player.commentAt', { time: longDuration(at ?? second) })
  return (
    <form
      className="comment-box"
      onSubmit={event => {
        event.preventDefault()
        void send()
      }}
    >
      <MessageSquarePlus size={16} aria-hidden />
      <textarea
        ref={fieldRef}
        rows={text ? 2 : 1}
        value={text}
        placeholder={label}
        aria-label={label}
        maxLength={2000}
        onChange={event => {
          setAt(event.target.value ? (at ?? engine.snapshot().position) : undefined)
          setText(event.target.value)
        }}
        onKeyDown={event => {
          if (event.key === 'Escape') event.currentTarget.blur()
          if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
          event.preventDefault()
          void send()
        }}
        data-testid="player-comment"
      />
      {text.trim() && (
        <Button
          size="small"
          type="submit"
          pending={desk.pending && t('player.saving')}
          data-testid="player-comment-send"
        >
          {t('player.comment')}
        </Button>
      )}
    </form>
  )
}
