import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Download } from 'lucide-react'
import { useId, useState } from 'react'
import { useCommand } from '../app/command'
import { useCan } from '../app/hub'
import type { ExportKind, ExportLayout } from '../hub/exportTypes'
import type { RecordingDetail } from '../hub/types'
import { useT } from '../i18n'
import { Button, Check, Field } from '../ui/controls'
import { useKeys } from '../ui/keys'
import { Dialog, say } from '../ui/overlay'
import { ExportList } from './ExportList'
import { clockText, isPending, spanOf } from './exports.model'
import { exportsApi } from './exportsApi'
import type { HeadProps } from './headPieces'
import './exports.css'

const kinds: readonly ExportKind[] = ['film', 'tracks', 'bundle']
const layouts: readonly ExportLayout[] = ['grid', 'speaker', 'focus']

/** In the player's head: takes the recording out, or what is chosen of it. */
export function ExportPiece({ recording, range }: HeadProps) {
  const t = useT()
  const may = useCan('recording.export')
  const [open, setOpen] = useState(false)
  useKeys('player', { takeOut: () => setOpen(true) }, may)
  const query = useExports(recording.id, may && open)
  if (!may) return null
  const pending = query.data?.items.filter(isPending).length ?? 0
  return (
    <>
      <Button
        look="ghost"
        size="small"
        icon={<Download size={16} />}
        onClick={() => setOpen(true)}
        data-testid="export-open"
      >
        {t('exports.open')}
        {pending > 0 && ` (${pending})`}
      </Button>
      {open && <ExportDialog recording={recording} range={range} onClose={() => setOpen(false)} />}
    </>
  )
}

/** Asked again while one of them goes on. */
export function useExports(recording: string, on = true) {
  return useQuery({
    queryKey: ['exports', recording],
    queryFn: () => exportsApi.list(recording),
    enabled: on,
    refetchInterval: query => (query.state.data?.items.some(isPending) ? 1000 : false),
    placeholderData: before => before,
  })
}

interface DialogProps {
  recording: RecordingDetail
  range: { start: number; end: number } | undefined
  onClose(): void
}

export function ExportDialog({ recording, range, onClose }: DialogProps) {
  const t = useT()
  const client = useQueryClient()
  const [run, busy] = useCommand()
  const end = Math.max(recording.duration_ms ?? 0, ...recording.tracks.flatMap(one => one.segments.map(endOf)))
  const [whole, setWhole] = useState(!range)
  const [from, setFrom] = useState(clockText(range?.start ?? 0))
  const [to, setTo] = useState(clockText(range?.end ?? end))
  const [kind, setKind] = useState<ExportKind>('film')
  const [layout, setLayout] = useState<ExportLayout>('grid')
  const videos = recording.tracks.filter(track => track.kind === 'video')
  const [main, setMain] = useState(videos[0]?.id ?? '')
  const [chat, setChat] = useState(false)
  const [grounds, setGrounds] = useState('')
  const query = useExports(recording.id)
  const span = whole ? { from: 0, to: 0 } : spanOf(from, to, end)
  const wrong = typeof span === 'string' ? t(`exports.wrong.${span}`) : undefined

  const submit = async () => {
    if (typeof span === 'string') return
    // The large one first; all others come with it.
    const tracks =
      kind === 'film' && layout === 'focus' && main
        ? [main, ...recording.tracks.map(track => track.id).filter(id => id !== main)]
        : []
    const wanted = { kind, from_ms: span.from, to_ms: span.to, layout, tracks, chat, grounds: grounds.trim() }
    const asked = async () => {
      const made = await exportsApi.ask(recording.id, wanted)
      if (made.state === 'asked') say(t('exports.needsApproval'))
    }
    if (await run(asked)) await client.invalidateQueries({ queryKey: ['exports', recording.id] })
  }

  return (
    <Dialog
      title={t('exports.title')}
      note={recording.title}
      onClose={onClose}
      className="export-dialog"
      data-testid="export-dialog"
      footer={
        <>
          <span className="note grow">{t('exports.audited')}</span>
          <Button
            look="primary"
            pending={busy && t('exports.asking')}
            refused={wrong}
            onClick={() => void submit()}
            data-testid="export-submit"
          >
            {t('exports.ask')}
          </Button>
        </>
      }
    >
      <Choice
        label={t('exports.kind')}
        name="kind"
        options={kinds.map(one => [one, t(`exports.kinds.${one}`)] as const)}
        value={kind}
        onChange={(one: ExportKind) => setKind(one)}
        first
      />
      <p className="note">{t(`exports.kindNote.${kind}`)}</p>
      <Choice
        label={t('exports.span')}
        name="span"
        options={[
          ['clip', t('exports.clip')],
          ['whole', t('exports.whole')],
        ]}
        value={whole ? 'whole' : 'clip'}
        onChange={value => setWhole(value === 'whole')}
      />
      {!whole && (
        <div className="export-span">
          <Field
            label={t('exports.from')}
            value={from}
            maxLength={12}
            onChange={event => setFrom(event.target.value)}
            data-testid="export-from"
          />
          <Field
            label={t('exports.to')}
            value={to}
            maxLength={12}
            problem={wrong}
            onChange={event => setTo(event.target.value)}
            data-testid="export-to"
          />
        </div>
      )}
      {kind === 'film' && (
        <>
          <Choice
            label={t('exports.layout')}
            name="layout"
            options={layouts.map(one => [one, t(`exports.layouts.${one}`)] as const)}
            value={layout}
            onChange={(one: ExportLayout) => setLayout(one)}
          />
          {layout === 'focus' && <MainPicture videos={videos} main={main} onMain={setMain} />}
          <Check checked={chat} onChange={setChat}>
            {t('exports.chat')}
          </Check>
        </>
      )}
      <Field
        label={t('exports.grounds')}
        value={grounds}
        maxLength={500}
        placeholder={t('exports.groundsHint')}
        onChange={event => setGrounds(event.target.value)}
        data-testid="export-grounds"
      />
      <ExportList items={query.data?.items ?? []} />
    </Dialog>
  )
}

const endOf = (one: { start_ms: number; duration_ms: number }) => one.start_ms + one.duration_ms

function MainPicture(props: { videos: RecordingDetail['tracks']; main: string; onMain(id: string): void }) {
  const t = useT()
  const id = useId()
  return (
    <label className="field" htmlFor={id}>
      {t('exports.main')}
      <span className="select-box">
        <select id={id} className="select" value={props.main} onChange={event => props.onMain(event.target.value)}>
          {props.videos.map(track => (
            <option key={track.id} value={track.id}>
              {track.name || track.identity}
              {track.org_name && ` · ${track.org_name}`}
            </option>
          ))}
        </select>
      </span>
    </label>
  )
}

interface ChoiceProps<T extends string> {
  label: string
  name: string
  options: readonly (readonly [T, string])[]
  value: T
  onChange(value: T): void
  first?: boolean
}

/** A few to choose one of; arrow keys move. */
function Choice<T extends string>({ label, name, options, value, onChange, first }: ChoiceProps<T>) {
  const group = useId()
  return (
    <fieldset className="export-choice">
      <legend>{label}</legend>
      {options.map(([key, text]) => (
        <label key={key} className={key === value ? 'on' : ''}>
          <input
            type="radio"
            name={group}
            checked={key === value}
            onChange={() => onChange(key)}
            data-testid={`export-${name}-${key}`}
            {...(first && key === value ? { 'data-focus': true } : {})}
          />
          {text}
        </label>
      ))}
    </fieldset>
  )
}
