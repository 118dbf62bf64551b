import { Pencil, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { useCan } from '../app/hub'
import { useT } from '../i18n'
import { Button, Empty, Marked } from '../ui/controls'
import { clockTime } from '../ui/time.model'
import type { MarkDesk } from './facts'
import type { Mark } from './shapes.model'

interface Props {
  kind: Mark['kind']
  marks: Mark[]
  desk: MarkDesk
  q: string
  began: number
  editing: string | undefined
  onEdit(id: string | undefined): void
  onSeek(at: number): void
}

/** Marks, or comments, of all who review: a press jumps, one's own can be written anew. */
export function MarkList({ kind, marks, desk, q, began, editing, onEdit, onSeek }: Props) {
  const t = useT()
  const wanted = q.trim().toLowerCase()
  const shown = marks.filter(
    mark => !wanted || `${mark.title} ${mark.text} ${mark.by_name}`.toLowerCase().includes(wanted),
  )
  if (shown.length === 0)
    return (
      <div className="side-empty">
        <Empty
          text={
            wanted ? t('common.nothingFound', { q }) : t(kind === 'mark' ? 'player.emptyMarks' : 'player.emptyComments')
          }
        />
      </div>
    )
  return (
    <ol>
      {shown.map(mark =>
        editing === mark.id ? (
          <Edit key={mark.id} mark={mark} desk={desk} onDone={() => onEdit(undefined)} />
        ) : (
          <Row
            key={mark.id}
            mark={mark}
            desk={desk}
            q={q}
            began={began}
            onEdit={() => onEdit(mark.id)}
            onSeek={onSeek}
          />
        ),
      )}
    </ol>
  )
}

interface RowProps {
  mark: Mark
  desk: MarkDesk
  q: string
  began: number
  onEdit(): void
  onSeek(at: number): void
}

function Row({ mark, desk, q, began, onEdit, onSeek }: RowProps) {
  const t = useT()
  const audits = useCan('audit.view')
  const words = [mark.title, mark.text].filter(Boolean).join('：')
  return (
    <li className="mark-row" data-testid="player-mark" data-at-ms={mark.at_ms} data-kind={mark.kind}>
      <button type="button" className="said" onClick={() => onSeek(mark.at_ms)}>
        <span className="grow">
          <span>
            <Marked text={words} q={q} />
          </span>
          <small className="note cut">
            {mark.by_name} {mark.by_org}
          </small>
        </span>
        <time className="note">{clockTime(began + mark.at_ms)}</time>
      </button>
      {mark.may_change && (
        <Button
          look="ghost"
          size="small"
          square
          icon={<Pencil size={14} />}
          aria-label={t('player.editMark', { title: words })}
          onClick={onEdit}
        />
      )}
      {(mark.may_change || audits) && (
        <Button
          look="ghost"
          size="small"
          square
          icon={<Trash2 size={14} />}
          aria-label={t('player.removeMark', { title: words })}
          onClick={() => void desk.remove(mark)}
        />
      )}
    </li>
  )
}

function Edit({ mark, desk, onDone }: { mark: Mark; desk: MarkDesk; onDone(): void }) {
  const t = useT()
  const titled = mark.kind === 'mark'
  const [words, setWords] = useState(titled ? mark.title : mark.text)
  const save = async () => {
    const said = words.trim()
    if (!said) return onDone()
    if (await desk.change(mark, titled ? { title: said } : { text: said })) onDone()
  }
  return (
    <li className="mark-edit">
      <input
        className="input"
        autoFocus
        value={words}
        maxLength={titled ? 200 : 2000}
        aria-label={t(titled ? 'player.markTitle' : 'player.comment')}
        onFocus={event => event.currentTarget.select()}
        onChange={event => setWords(event.target.value)}
        onKeyDown={event => {
          if (event.nativeEvent.isComposing) return
          if (event.key === 'Enter') void save()
          if (event.key === 'Escape') onDone()
        }}
        data-testid="player-mark-title"
      />
      <Button size="small" onClick={() => void save()} pending={desk.pending && t('player.saving')}>
        {t('player.save')}
      </Button>
    </li>
  )
}
