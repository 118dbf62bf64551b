import { LayoutGrid, Lock, LockOpen, PanelBottom } from 'lucide-react'
import { useCommand, useTick } from '../app/command'
import { hub } from '../app/hub'
import { Clock, Mark } from '../app/Shell'
import { may } from '../consultations/may.model'
import { GroupButton } from '../groups/GroupButton'
import { HubError } from '../hub/http'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { Bars, Button, RecordingChip } from '../ui/controls'
import { useKeys } from '../ui/keys'
import { say } from '../ui/overlay'
import { longDuration } from '../ui/time.model'
import type { ViewKind } from './Stage'
import type { Quality } from './tiles.model'

interface Props {
  consultation: Consultation
  view: ViewKind
  onView(view: ViewKind): void
  /** The light of the room itself; the hub's record knows since when. */
  isRecording: boolean
  connected: boolean
  quality: Quality
}

export function TopBar({ consultation: c, view, onView, isRecording, connected, quality }: Props) {
  const t = useT()
  useKeys('room', { view: () => onView(view === 'grid' ? 'speaker' : 'grid') })
  return (
    <header className="topbar room-top">
      <Mark />
      <div className="room-title">
        <h1 className="cut" title={c.title}>
          {c.title}
        </h1>
        <span className="note">
          {c.code} · {t(`label.${c.label}`)}
        </span>
      </div>
      <span className="grow" />
      <RecordingState consultation={c} isRecording={isRecording} connected={connected} />
      <div className="tabs" role="group" aria-label={t('room.view')}>
        <button type="button" aria-pressed={view === 'grid'} onClick={() => onView('grid')} data-testid="view-grid">
          <LayoutGrid size={15} /> {t('room.grid')}
        </button>
        <button
          type="button"
          aria-pressed={view === 'speaker'}
          onClick={() => onView('speaker')}
          data-testid="view-speaker"
        >
          <PanelBottom size={15} /> {t('room.speaker')}
        </button>
      </div>
      <LockButton consultation={c} />
      <GroupButton />
      <span className="linkstate" role="status">
        <Bars quality={connected ? quality : 'lost'} />
        {t(connected ? 'room.connected' : 'room.noConnection')}
      </span>
      <Clock />
    </header>
  )
}

function RecordingState({
  consultation,
  isRecording,
  connected,
}: {
  consultation: Consultation
  isRecording: boolean
  connected: boolean
}) {
  const t = useT()
  const { state, since } = consultation.recording
  const on = isRecording || state === 'recording'
  useTick(1000, on)
  if (!connected) return <span className="chip outline">{t('room.recordingUnknown')}</span>
  if (!on) return state === 'failed' ? <span className="chip inverse">{t('room.recordingFailed')}</span> : null
  const elapsed = since ? ` ${longDuration(hub.now() - Date.parse(since))}` : ''
  return <RecordingChip text={t('room.recording') + elapsed} data-testid="recording-chip" />
}

function LockButton({ consultation: c }: { consultation: Consultation }) {
  const t = useT()
  const [run, pending] = useCommand()
  const icon = c.locked ? <Lock size={15} /> : <LockOpen size={15} />
  const words = t(c.locked ? 'room.locked' : 'room.unlocked')
  if (!may(c, 'lock'))
    return (
      <span className="chip lock">
        {icon} {words}
      </span>
    )
  const turn = async () => {
    const lock = (rev: number) => hub.api.lock(c.id, rev, !c.locked)
    try {
      hub.learn(await lock(c.rev))
    } catch (error) {
      // Somebody joined in between: that is no reason not to lock.
      if (!(error instanceof HubError) || error.status !== 409) throw error
      hub.learn(await lock((await hub.load(c.id)).rev))
    }
    say(t(c.locked ? 'room.unlockDone' : 'room.lockDone'))
  }
  return (
    <Button
      size="small"
      icon={icon}
      pending={pending && words}
      aria-pressed={c.locked}
      title={t(c.locked ? 'room.unlock' : 'room.lock')}
      onClick={() => void run(turn)}
      data-testid="lock"
    >
      {words}
    </Button>
  )
}
