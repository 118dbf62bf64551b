import { Download as DownloadIcon, Save, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { sentence, useCommand } from '../app/command'
import { hub } from '../app/hub'
import type { CameraDetail, DeviceRecording } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { Button, Field } from '../ui/controls'
import { ActDialog } from '../ui/overlay'
import { dateTime, longDuration } from '../ui/time.model'
import { files, useDownloads } from './files'
import { type Download, fieldOf, firstSpan, isOpen, momentOf, problemOf, type Span, sizeText } from './files.model'
import './files.css'

interface Props {
  camera: CameraDetail
  recordings: readonly DeviceRecording[]
  /** Where one looks, ms. */
  at: number | undefined
  /** What is marked on the strip of the day. */
  chosen: Span | undefined
  onChosen(span: Span): void
}

/** Opens the dialog in which a span of a device's recordings is chosen, and which shows what has been fetched. */
export function DownloadButton(props: Props) {
  const t = useT()
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button
        size="small"
        icon={<DownloadIcon size={15} />}
        refused={!props.camera.may.includes('download') && t('files.noRight')}
        onClick={() => setOpen(true)}
        data-testid="downloads-open"
      >
        {t(props.chosen ? 'files.openChosen' : 'files.open')}
      </Button>
      {open && <DownloadDialog {...props} onClose={() => setOpen(false)} />}
    </>
  )
}

function DownloadDialog({ camera, recordings, at, chosen, onChosen, onClose }: Props & { onClose(): void }) {
  const t = useT()
  const [span, setSpan] = useState(() => chosen ?? firstSpan(recordings, at, hub.now()))
  const [run, pending] = useCommand()
  const listed = useDownloads()
  const problem = problemOf(span, hub.now())
  const pick = (next: Span) => {
    setSpan(next)
    if (!problemOf(next, hub.now())) onChosen(next)
  }
  const start = () =>
    void run(async () => {
      await files.download(camera.id, span)
      await listed.refetch()
    })
  return (
    <ActDialog
      title={t('files.title', { name: camera.name })}
      onClose={onClose}
      className="downloads"
      act={t('files.start')}
      pending={pending && t('files.starting')}
      refused={problem && t(`files.problem.${problem}`)}
      onAct={start}
      data-act="download-start"
      data-testid="downloads"
    >
      <div className="download-span">
        <TimeField label={t('files.from')} value={span.from} onPick={from => pick({ ...span, from })} focus />
        <TimeField label={t('files.to')} value={span.to} onPick={to => pick({ ...span, to })} />
        <span className="note" role="status">
          {problem ? t(`files.problem.${problem}`) : longDuration(span.to - span.from)}
        </span>
      </div>
      {listed.error && <p className="note">{sentence(listed.error)}</p>}
      <ul className="download-list" aria-label={t('files.list')}>
        {listed.data?.items.map(one => (
          <Row key={one.id} download={one} onGone={() => void listed.refetch()} />
        ))}
      </ul>
    </ActDialog>
  )
}

interface FieldProps {
  label: string
  value: number
  focus?: boolean
  onPick(value: number): void
}

function TimeField({ label, value, focus, onPick }: FieldProps) {
  return (
    <Field
      label={label}
      type="datetime-local"
      step={1}
      value={Number.isNaN(value) ? '' : fieldOf(value)}
      onChange={event => onPick(momentOf(event.target.value))}
      data-focus={focus ? '' : undefined}
    />
  )
}

function Row({ download, onGone }: { download: Download; onGone(): void }) {
  const t = useT()
  const [run, pending] = useCommand()
  const from = Date.parse(download.start)
  const name = `${download.camera_name} ${dateTime(from)}`
  const remove = () =>
    void run(async () => {
      await files.remove(download.id)
      onGone()
    })
  return (
    <li data-testid="download" data-state={download.state}>
      <span className="two grow">
        <strong className="cut">{name}</strong>
        <small className="note">{said(download, t)}</small>
        {isOpen(download) && <progress max={100} value={download.percent} aria-label={t('files.progress', { name })} />}
      </span>
      {download.url && (
        <a className="btn small square" href={download.url} download aria-label={t('files.save', { name })}>
          <Save size={16} />
        </a>
      )}
      <Button
        size="small"
        square
        look="ghost"
        icon={<Trash2 size={16} />}
        aria-label={t(isOpen(download) ? 'files.cancel' : 'files.remove', { name })}
        pending={pending && t('common.loading')}
        onClick={remove}
        data-testid="download-remove"
      />
    </li>
  )
}

function said(download: Download, t: ReturnType<typeof useT>): string {
  const length = longDuration(Date.parse(download.end) - Date.parse(download.start))
  if (download.state === 'failed') return download.reason?.text ?? t('files.failed')
  if (download.state === 'done') {
    const size = t('files.done', {
      length: longDuration(Math.round(download.seconds) * 1000),
      size: sizeText(download.bytes),
    })
    return download.reason ? `${size} · ${download.reason.text}` : size
  }
  if (download.state === 'waiting') return t('files.waiting', { length })
  const percent = Math.round(download.percent)
  const why = download.state === 'connecting' && download.reason ? ` · ${download.reason.text}` : ''
  return t('files.receiving', { percent, size: sizeText(download.received), length }) + why
}
