import { ChevronDown, ChevronUp, Info } from 'lucide-react'
import { type Ref, useEffect, useImperativeHandle, useMemo, useRef, useState } from 'react'
import type { RecordedEvent, RecordingDetail } from '../hub/types'
import { useT } from '../i18n'
import { Button, Empty, Marked, SearchField } from '../ui/controls'
import { clockTime } from '../ui/time.model'
import { currentEvent, searchEvents } from './lanes.model'
import { eventText } from './words'

export interface SideListHandle {
  hit(step: -1 | 1): void
  search(): void
}

interface Props {
  ref: Ref<SideListHandle>
  recording: RecordingDetail
  position: number
  onSeek(at: number): void
}

type Tab = 'text' | 'events'

/** What was written and what happened, beside the pictures; a press goes to its second. */
export function SideList({ ref, recording, position, onSeek }: Props) {
  const t = useT()
  const [tab, setTab] = useState<Tab>('text')
  const [q, setQ] = useState('')
  const [hit, setHit] = useState(0)
  const box = useRef<HTMLInputElement>(null)
  const list = useRef<HTMLOListElement>(null)
  const events = recording.events
  const others = useMemo(() => events.filter(event => event.type !== 'chat'), [events])
  const shown = tab === 'text' ? events : others
  const texts = useMemo(() => shown.map(event => `${event.name ?? ''} ${eventText(event, t)}`), [shown, t])
  const hits = useMemo(() => searchEvents(texts, q), [texts, q])
  const current = currentEvent(shown, position)

  const go = (step: -1 | 1) => {
    if (hits.length === 0) return
    const next = (hit + step + hits.length) % hits.length
    setHit(next)
    const event = shown[hits[next] ?? -1]
    if (event) onSeek(event.at_ms)
  }
  useImperativeHandle(ref, () => ({ hit: go, search: () => box.current?.focus() }))
  useEffect(() => {
    // Only the list moves, not the page around it.
    const box = list.current
    const line = box?.children[current]
    if (!box || !(line instanceof HTMLElement)) return
    const top = line.offsetTop - box.offsetTop
    if (top < box.scrollTop) box.scrollTop = top
    else if (top + line.offsetHeight > box.scrollTop + box.clientHeight)
      box.scrollTop = top + line.offsetHeight - box.clientHeight
  }, [current])

  return (
    <aside className="side-list">
      <div className="underlined" role="tablist">
        <button type="button" role="tab" aria-selected={tab === 'text'} onClick={() => setTab('text')}>
          {t('player.tabText')}
        </button>
        <button type="button" role="tab" aria-selected={tab === 'events'} onClick={() => setTab('events')}>
          {t('player.tabEvents')} <small>{others.length}</small>
        </button>
      </div>
      <div className="side-search">
        <SearchField
          label={t('player.searchHint')}
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
          after={
            q.trim() && (
              <>
                <span className="note">
                  {t('player.hits', { index: hits.length ? Math.max(0, hit) + 1 : 0, count: hits.length })}
                </span>
                <Button
                  look="ghost"
                  size="small"
                  square
                  icon={<ChevronUp size={16} />}
                  aria-label={t('player.previousHit')}
                  onClick={() => go(-1)}
                />
                <Button
                  look="ghost"
                  size="small"
                  square
                  icon={<ChevronDown size={16} />}
                  aria-label={t('player.nextHit')}
                  onClick={() => go(1)}
                />
              </>
            )
          }
        />
      </div>
      {shown.length === 0 ? (
        <div className="side-empty">
          <Empty text={t(tab === 'text' ? 'player.emptyText' : 'player.emptyEvents')} />
        </div>
      ) : (
        <ol ref={list}>
          {shown.map((event, i) => (
            <Line
              // biome-ignore lint/suspicious/noArrayIndexKey: a recording's events do not move
              key={i}
              event={event}
              began={Date.parse(recording.started_at)}
              q={q}
              current={i === current}
              onSeek={() => onSeek(event.at_ms)}
            />
          ))}
        </ol>
      )}
    </aside>
  )
}

interface LineProps {
  event: RecordedEvent
  began: number
  q: string
  current: boolean
  onSeek(): void
}

function Line({ event, began, q, current, onSeek }: LineProps) {
  const t = useT()
  const chat = event.type === 'chat'
  return (
    <li>
      <button
        type="button"
        className={`${chat ? 'said' : 'happened'}${current ? ' current' : ''}`}
        aria-current={current || undefined}
        onClick={onSeek}
        data-testid={chat ? 'player-chat-line' : 'player-event-line'}
        data-at-ms={event.at_ms}
        data-type={event.type}
      >
        {!chat && <Info size={14} />}
        <span className="grow">
          {chat && (
            <strong>
              <Marked text={event.name ?? ''} q={q} />
            </strong>
          )}
          <span>
            <Marked text={eventText(event, t)} q={q} />
          </span>
        </span>
        <time className="note">{clockTime(began + event.at_ms)}</time>
      </button>
    </li>
  )
}
