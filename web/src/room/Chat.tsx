import { Clock3, CornerDownLeft, RotateCw } from 'lucide-react'
import { type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { clockTime, shortTime } from '../ui/time.model'
import { type ChatLine, type Entry, isNote, longest, type Note } from './chat.model'

interface Props {
  id: string
  entries: readonly Entry[]
  connected: boolean
  onSay(text: string): void
  onResend(line: ChatLine): void
}

export function Chat({ id, entries, connected, onSay, onResend }: Props) {
  const t = useT()
  const list = useRef<HTMLDivElement>(null)
  const atEnd = useRef(true)
  const count = entries.length
  useLayoutEffect(() => {
    if (count >= 0 && atEnd.current && list.current) list.current.scrollTop = list.current.scrollHeight
  }, [count])
  return (
    <div className="panel-body chat" data-testid="panel-chat">
      <div
        className="chat-list"
        ref={list}
        role="log"
        aria-label={t('chat.log')}
        tabIndex={0}
        onScroll={event => {
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget
          atEnd.current = scrollHeight - scrollTop - clientHeight < 40
        }}
      >
        <span className="grow" />
        {count === 0 && <p className="note chat-empty">{t('chat.empty')}</p>}
        {entries.map(entry =>
          isNote(entry) ? (
            <NoteLine key={entry.id} note={entry} />
          ) : (
            <Line key={entry.id} line={entry} onResend={onResend} />
          ),
        )}
      </div>
      <Writer
        id={id}
        connected={connected}
        onSay={text => {
          atEnd.current = true
          onSay(text)
        }}
      />
    </div>
  )
}

function NoteLine({ note }: { note: Note }) {
  const t = useT()
  return (
    <p className={`chat-note${note.note === 'lost' || note.note === 'back' ? ' break' : ''}`}>
      {t(`chat.${note.note}`, { name: note.name })} {clockTime(note.at)}
    </p>
  )
}

function Line({ line, onResend }: { line: ChatLine; onResend(line: ChatLine): void }) {
  const t = useT()
  return (
    <div
      className={`chat-line ${line.mine ? 'mine' : ''} ${line.state}`}
      data-testid="chat-line"
      data-identity={line.identity}
      data-state={line.state}
    >
      <header>
        <strong className="cut">
          {line.name}
          {line.mine && t('common.me')}
        </strong>
        <small className="cut grow">{line.mine ? '' : line.org}</small>
        <time className="note">{shortTime(line.at)}</time>
      </header>
      <p>{line.text}</p>
      {line.state === 'waiting' && (
        <small>
          <Clock3 size={13} /> {t('chat.waiting')}
        </small>
      )}
      {line.state === 'failed' && (
        <small>
          {t('chat.failed')}
          <Button size="small" look="ghost" icon={<RotateCw size={13} />} onClick={() => onResend(line)}>
            {t('chat.resend')}
          </Button>
        </small>
      )}
    </div>
  )
}

function Writer({ id, connected, onSay }: { id: string; connected: boolean; onSay(text: string): void }) {
  const t = useT()
  const key = `commhub.draft.${id}`
  const [text, setText] = useState(() => localStorage.getItem(key) ?? '')
  useEffect(() => {
    if (text) localStorage.setItem(key, text)
    else localStorage.removeItem(key)
  }, [key, text])
  const send = () => {
    const words = text.trim()
    if (!words) return
    onSay(words)
    setText('')
  }
  const keys = (event: KeyboardEvent) => {
    // Enter that ends a word of the input method is not meant for us.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    send()
  }
  return (
    <div className="writer">
      <div className="input">
        <textarea
          rows={2}
          value={text}
          maxLength={longest}
          aria-label={t('room.chat')}
          placeholder={t('chat.hint')}
          onChange={event => setText(event.target.value)}
          onKeyDown={keys}
          data-testid="chat-input"
        />
      </div>
      <div className="writer-foot">
        <span className="note grow">{connected ? t('chat.hint') : t('chat.saved')}</span>
        <Button
          size="small"
          look={connected ? 'primary' : 'plain'}
          icon={connected ? <CornerDownLeft size={14} /> : <Clock3 size={14} />}
          onClick={send}
          data-testid="chat-send"
        >
          {t(connected ? 'chat.send' : 'chat.queue')}
        </Button>
      </div>
    </div>
  )
}
