import { X } from 'lucide-react'
import { useCallback, useEffect, useState, useSyncExternalStore } from 'react'
import { reasonText, sentence } from '../app/command'
import { hub, useHub } from '../app/hub'
import { navigate } from '../app/router'
import { may } from '../consultations/may.model'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { RollSheet } from '../rollcalls/RollSheet'
import { Button } from '../ui/controls'
import { say } from '../ui/overlay'
import { LostBanner, News, SoundBar } from './Banners'
import { BottomBar, type PanelKind } from './BottomBar'
import { CameraPicker } from './CameraPicker'
import { Chat } from './Chat'
import { ControlBanner } from './ControlBanner'
import { ControlPanel } from './ControlPanel'
import { isNote } from './chat.model'
import { RoomConnection, type RoomView } from './connection'
import { controlOf, layoutOf, roleOf, spotlit } from './control.model'
import { Diagnosis } from './Diagnosis'
import type { Devices } from './devices'
import { Frame, Out } from './Frame'
import { Gate } from './Gate'
import { InviteDialog } from './InviteDialog'
import { useWaiting } from './LobbyList'
import { Members } from './Members'
import { Sound } from './Picture'
import { Stage, type ViewKind } from './Stage'
import { TopBar } from './TopBar'
import { buildTiles, currentSpeaker, type RoomCamera } from './tiles.model'
import { WaitingPage } from './Waiting'
import './room.css'

export default function Room({ id }: { id: string }) {
  const consultation = useHub(state => state.consultations[id])
  const resyncs = useHub(state => state.resyncs)
  const [refused, setRefused] = useState<string>()
  const [devices, setDevices] = useState<Devices>()
  const [attempt, setAttempt] = useState(0)
  useEffect(() => {
    if (resyncs >= 0)
      hub.load(id).then(
        () => setRefused(undefined),
        error => setRefused(sentence(error)),
      )
  }, [id, resyncs])
  useTitle(consultation?.title)

  if (!consultation) return <Frame>{refused !== undefined && <Out why="refused" words={refused} />}</Frame>
  if (consultation.state === 'ended')
    return (
      <Frame title={consultation.title}>
        <Out why="ended" words="" />
      </Frame>
    )
  if (!devices)
    return (
      <Frame title={consultation.title}>
        <Gate key={attempt} onReady={setDevices} />
      </Frame>
    )
  const again = () => {
    setDevices(undefined)
    setAttempt(attempt + 1)
  }
  return <Meeting consultation={consultation} devices={devices} onAgain={again} />
}

function useTitle(title: string | undefined): void {
  useEffect(() => {
    if (!title) return
    const before = document.title
    document.title = title
    return () => {
      document.title = before
    }
  }, [title])
}

interface MeetingProps {
  consultation: Consultation
  devices: Devices
  onAgain(): void
}

function Meeting({ consultation, devices, onAgain }: MeetingProps) {
  const t = useT()
  const [connection, setConnection] = useState<RoomConnection>()
  const { id } = consultation
  useEffect(() => {
    const made = new RoomConnection(hub, id)
    setConnection(made)
    void quietly(id, devices).then(() => made.start(devices))
    return () => made.close()
  }, [id, devices])
  const camera = devices.camera?.problem
  useEffect(() => {
    const reasons = {
      denied: 'gate.cameraDenied',
      insecure: 'gate.cameraDenied',
      missing: 'gate.cameraMissing',
      busy: 'gate.cameraBusy',
    } as const
    if (camera) say(t('gate.cameraOff', { reason: t(reasons[camera]) }))
  }, [camera, t])
  if (!connection) return null
  return <Connected consultation={consultation} connection={connection} onAgain={onAgain} />
}

/** Who comes while all are muted comes muted, as if he had been there. */
async function quietly(id: string, devices: Devices): Promise<void> {
  const { consultations, session } = hub.store.getState()
  const known = consultations[id]
  if (!known || !session || !devices.audio) return
  const control = controlOf(known)
  if (control.muted && !roleOf(control, session.person.id)) await devices.audio.mute()
}

interface ConnectedProps {
  consultation: Consultation
  connection: RoomConnection
  onAgain(): void
}

function Connected({ consultation, connection, onAgain }: ConnectedProps) {
  const t = useT()
  const view = useSyncExternalStore(connection.subscribe, connection.snapshot)
  const { phase } = view
  useDoor(consultation.id, connection)
  if (phase.at === 'waiting')
    return (
      <Frame title={consultation.title}>
        <WaitingPage consultation={consultation} since={phase.since} />
      </Frame>
    )
  if (phase.at === 'out')
    return (
      <Frame title={consultation.title}>
        <Out why={phase.why} words={phase.words} onAgain={onAgain} />
      </Frame>
    )
  if (phase.at === 'joining')
    return (
      <Frame title={consultation.title}>
        <div className="center" role="status">
          <div>
            <span className="spin big" />
            <h1>{t('room.joining')}</h1>
          </div>
        </div>
      </Frame>
    )
  return <InRoom consultation={consultation} connection={connection} view={view} />
}

/** Whatever is said about us at the door is asked for at once. */
function useDoor(id: string, connection: RoomConnection): void {
  useEffect(
    () =>
      hub.onEvents(event => {
        if (event.subject === id && /^consultation\.(admitted|refused|lobby|ended)$/.test(event.type))
          connection.knock()
      }),
    [id, connection],
  )
}

function InRoom({
  consultation,
  connection,
  view,
}: {
  consultation: Consultation
  connection: RoomConnection
  view: RoomView
}) {
  const t = useT()
  const news = useHub(state => state.cameras)
  const [kind, setKind] = useState<ViewKind>('grid')
  const [panel, setPanel] = useState<PanelKind | undefined>(() => (window.innerWidth >= 1366 ? 'members' : undefined))
  const [pinned, setPinned] = useState<string>()
  const [picking, setPicking] = useState(false)
  const [inviting, setInviting] = useState(false)
  const unread = useUnread(view, panel === 'chat')
  const connected = view.phase.at === 'in'
  const [stopped, setStopped] = useState<Record<string, number | undefined>>({})
  const onFrozen = useCallback(
    (tile: string, since: number | undefined) => setStopped(now => ({ ...now, [tile]: since })),
    [],
  )
  const cameras: RoomCamera[] = consultation.cameras.map(camera => {
    const now = news[camera.id]
    return { ...camera, state: now?.state ?? camera.state, reason: reasonText(now?.reason) }
  })
  const tiles = buildTiles(view.members, cameras)
  const own = view.members.find(member => member.local)
  const control = controlOf(consultation)
  const spot = spotlit(control, tiles)
  const leads = may(consultation, 'lead')
  const waiting = useWaiting(consultation, leads && control.lobby !== 'off').length
  const pin = (tile: string | undefined) => {
    setPinned(tile)
    if (tile !== undefined) setKind('speaker')
  }
  const toggle = (which: PanelKind) => setPanel(panel === which ? undefined : which)
  const leave = () => navigate('/consultations')

  return (
    <div
      className={`room${panel ? ' with-panel' : ''}`}
      data-testid="room"
      data-id={consultation.id}
      data-phase={view.phase.at}
    >
      <TopBar
        consultation={consultation}
        view={layoutOf(control, spot, kind)}
        onView={wanted => {
          setKind(wanted)
          if (layoutOf(control, spot, wanted) !== wanted) say(t('control.layoutForced'))
        }}
        isRecording={view.isRecording}
        connected={connected}
        quality={own?.quality ?? 'unknown'}
      />
      <LostBanner
        phase={view.phase}
        stopped={[...Object.values(stopped), ...view.members.map(m => m.staleSince)]}
        onRetry={() => connection.retryNow()}
      />
      <ControlBanner consultation={consultation} members={view.members} />
      {!view.canPlay && connected && <SoundBar onStart={() => void connection.startAudio()} />}
      <div className="room-middle">
        <Stage
          view={layoutOf(control, spot, kind)}
          tiles={tiles}
          pinned={spot ?? pinned}
          lastSpeaker={view.lastSpeaker}
          speaker={currentSpeaker(view.members)}
          lost={!connected}
          onFrozen={onFrozen}
          onPin={pin}
        />
        {panel && (
          <aside className="side-panel" aria-label={t('room.panel')}>
            <PanelTabs
              panel={panel}
              members={view.members.length}
              unread={unread}
              diagnosis={may(consultation, 'diagnose')}
              control={leads ? waiting + control.hands.length : undefined}
              onPanel={setPanel}
            />
            {panel === 'control' && leads ? (
              <ControlPanel consultation={consultation} members={view.members} />
            ) : panel === 'diagnosis' ? (
              <Diagnosis id={consultation.id} />
            ) : panel === 'members' || panel === 'control' ? (
              <Members consultation={consultation} members={view.members} onInvite={() => setInviting(true)} />
            ) : (
              <Chat
                id={consultation.id}
                entries={view.chat}
                connected={connected}
                onSay={text => connection.say(text)}
                onResend={line => connection.resend(line.id, line.text)}
              />
            )}
          </aside>
        )}
      </div>
      <RollSheet
        consultation={consultation}
        microphone={connection}
        people={view.members.filter(member => member.kind === 'person')}
      />
      <BottomBar
        consultation={consultation}
        connection={connection}
        view={view}
        panel={panel}
        unread={unread}
        onPanel={toggle}
        onPickCamera={() => setPicking(true)}
        onInvite={() => setInviting(true)}
        onLeave={leave}
      />
      {view.sounds.map(track => (
        <Sound key={track.sid ?? track.mediaStreamID} track={track} />
      ))}
      <News view={view} />
      {picking && (
        <CameraPicker
          consultation={consultation}
          parties={view.members.length}
          onClose={() => setPicking(false)}
          onMain={identity => pin(`${identity}/camera`)}
        />
      )}
      {inviting && <InviteDialog consultation={consultation} onClose={() => setInviting(false)} />}
    </div>
  )
}

interface PanelTabsProps {
  panel: PanelKind
  members: number
  unread: number
  diagnosis: boolean
  /** How many want something of the chair; undefined: this person does not chair. */
  control: number | undefined
  onPanel(panel: PanelKind | undefined): void
}

function PanelTabs({ panel, members, unread, diagnosis, control, onPanel }: PanelTabsProps) {
  const t = useT()
  return (
    <div className="panel-head">
      <div className="underlined" role="tablist">
        <button type="button" role="tab" aria-selected={panel === 'members'} onClick={() => onPanel('members')}>
          {t('room.members')} <small>{members}</small>
        </button>
        <button type="button" role="tab" aria-selected={panel === 'chat'} onClick={() => onPanel('chat')}>
          {t('room.chat')} {unread > 0 && <small>{unread}</small>}
        </button>
        {control !== undefined && (
          <button
            type="button"
            role="tab"
            aria-selected={panel === 'control'}
            onClick={() => onPanel('control')}
            data-testid="tab-control"
          >
            {t('control.title')} {control > 0 && <small className="tab-count">{control}</small>}
          </button>
        )}
        {diagnosis && (
          <button
            type="button"
            role="tab"
            aria-selected={panel === 'diagnosis'}
            onClick={() => onPanel('diagnosis')}
            data-testid="tab-diagnosis"
          >
            {t('room.diagnosis')}
          </button>
        )}
      </div>
      <span className="grow" />
      <Button
        look="ghost"
        size="small"
        square
        icon={<X size={18} />}
        aria-label={t('common.close')}
        onClick={() => onPanel(undefined)}
      />
    </div>
  )
}

/** Lines of others that came while the chat was not open. */
function useUnread(view: RoomView, open: boolean): number {
  const lines = view.chat.filter(entry => !isNote(entry) && !entry.mine).length
  const [seen, setSeen] = useState(lines)
  useEffect(() => {
    if (open) setSeen(lines)
  }, [open, lines])
  return open ? 0 : Math.max(0, lines - seen)
}
