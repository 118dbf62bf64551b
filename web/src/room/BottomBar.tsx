import {
  Activity,
  Cctv,
  CircleDot,
  CirclePause,
  DoorOpen,
  Keyboard,
  MessageSquare,
  Mic,
  MicOff,
  MoreHorizontal,
  PhoneOff,
  ScreenShare,
  ScreenShareOff,
  SlidersHorizontal,
  Square,
  UserPlus,
  Users,
  Video,
  VideoOff,
} from 'lucide-react'
import { useState } from 'react'
import { sentence, useCommand } from '../app/command'
import { hub } from '../app/hub'
import { openKeyHelp } from '../app/keyhelp'
import { may } from '../consultations/may.model'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { openRollStart, RollIcon } from '../rollcalls/RollSheet'
import { Button } from '../ui/controls'
import { useKeys } from '../ui/keys'
import { Confirm, MenuButton, type MenuItem, say } from '../ui/overlay'
import { BarButton } from './BarButton'
import type { RoomConnection, RoomView } from './connection'
import { DeviceMenu } from './DeviceMenu'
import { HandButton } from './HandButton'

export type PanelKind = 'members' | 'chat' | 'diagnosis' | 'control'

interface Props {
  consultation: Consultation
  connection: RoomConnection
  view: RoomView
  panel: PanelKind | undefined
  unread: number
  onPanel(panel: PanelKind): void
  onPickCamera(): void
  onInvite(): void
  onLeave(): void
}

export function BottomBar(props: Props) {
  const t = useT()
  const { consultation, connection, view, panel, unread } = props
  const count = view.members.length
  useKeys('room', {
    members: () => props.onPanel('members'),
    chat: () => props.onPanel('chat'),
    diagnosis: () => {
      if (may(consultation, 'diagnose')) props.onPanel('diagnosis')
    },
    leave: props.onLeave,
    control: () => {
      if (may(consultation, 'lead')) props.onPanel('control')
    },
    bringCamera: () => {
      if (may(consultation, 'camera')) props.onPickCamera()
    },
  })
  return (
    <footer className="bottombar" aria-label={t('room.controls')}>
      <div>
        <OwnButtons connection={connection} view={view} />
        <DeviceMenu room={connection.room} />
      </div>
      <div>
        <HandButton consultation={consultation} />
        <ShareButton connection={connection} view={view} />
        {may(consultation, 'camera') && (
          <BarButton
            icon={<Cctv size={20} />}
            hint="bringCamera"
            onClick={props.onPickCamera}
            data-testid="bring-camera"
          >
            {t('room.bringCamera')}
          </BarButton>
        )}
        {may(consultation, 'record') && <RecordButton consultation={consultation} />}
        <More
          consultation={consultation}
          parties={count}
          onInvite={props.onInvite}
          onDiagnose={() => props.onPanel('diagnosis')}
          onControl={() => props.onPanel('control')}
        />
      </div>
      <div>
        <BarButton
          icon={<Users size={20} />}
          hint="members"
          on={panel === 'members'}
          aria-pressed={panel === 'members'}
          onClick={() => props.onPanel('members')}
          data-testid="toggle-members"
        >
          {t('room.members')} {count}
        </BarButton>
        <BarButton
          icon={<MessageSquare size={20} />}
          hint="chat"
          on={panel === 'chat'}
          aria-pressed={panel === 'chat'}
          onClick={() => props.onPanel('chat')}
          data-testid="toggle-chat"
        >
          {t('room.chat')} {unread > 0 && <b className="unread">{unread}</b>}
        </BarButton>
        <Button
          look="inverse"
          size="large"
          icon={<PhoneOff size={18} />}
          hint="leave"
          onClick={props.onLeave}
          data-testid="leave"
        >
          {t('room.leave')}
        </Button>
      </div>
    </footer>
  )
}

function OwnButtons({ connection, view }: { connection: RoomConnection; view: RoomView }) {
  const t = useT()
  const [micPending, setMicPending] = useState(false)
  const [cameraPending, setCameraPending] = useState(false)
  const [talking, setTalking] = useState(false)
  const setMic = async (on: boolean) => {
    setMicPending(true)
    await connection.setMic(on).catch(error => say(t('room.micFailed', { reason: sentence(error) }), true))
    setMicPending(false)
  }
  const setCamera = async (on: boolean) => {
    setCameraPending(true)
    await connection.setCamera(on).catch(error => say(t('gate.cameraOff', { reason: sentence(error) }), true))
    setCameraPending(false)
  }
  useKeys('room', {
    mic: () => void setMic(!view.micOn),
    camera: () => void setCamera(!view.cameraOn),
    talk: down => {
      if (down && !view.micOn) {
        setTalking(true)
        void setMic(true)
      } else if (!down && talking) {
        setTalking(false)
        void setMic(false)
      }
    },
  })
  return (
    <>
      <BarButton
        icon={view.micOn ? <Mic size={20} /> : <MicOff size={20} />}
        hint="mic"
        pending={micPending}
        aria-pressed={view.micOn}
        className="raised"
        title={view.micOn ? (talking ? t('room.talking') : undefined) : t('room.talkHint')}
        onClick={() => void setMic(!view.micOn)}
        data-testid="toggle-mic"
      >
        {t(view.micOn ? 'room.mute' : 'room.unmute')}
      </BarButton>
      <BarButton
        icon={view.cameraOn ? <Video size={20} /> : <VideoOff size={20} />}
        hint="camera"
        pending={cameraPending}
        aria-pressed={view.cameraOn}
        onClick={() => void setCamera(!view.cameraOn)}
        data-testid="toggle-camera"
      >
        {t(view.cameraOn ? 'room.cameraOff' : 'room.cameraOn')}
      </BarButton>
      {talking && (
        <span className="sr" role="status">
          {t('room.talking')}
        </span>
      )}
    </>
  )
}

function ShareButton({ connection, view }: { connection: RoomConnection; view: RoomView }) {
  const t = useT()
  const [pending, setPending] = useState(false)
  const share = async () => {
    setPending(true)
    await connection.setSharing(!view.sharing).catch(error => {
      // Closing the browser's own choice is no failure.
      if (!(error instanceof Error && error.name === 'NotAllowedError'))
        say(t('room.shareFailed', { reason: sentence(error) }), true)
    })
    setPending(false)
  }
  useKeys('room', { screen: () => void share() })
  return (
    <BarButton
      icon={view.sharing ? <ScreenShareOff size={20} /> : <ScreenShare size={20} />}
      hint="screen"
      on={view.sharing}
      aria-pressed={view.sharing}
      pending={pending}
      onClick={() => void share()}
      data-testid="toggle-screen"
    >
      {t(view.sharing ? 'room.unshare' : 'room.share')}
    </BarButton>
  )
}

function RecordButton({ consultation }: { consultation: Consultation }) {
  const t = useT()
  const [run, pending] = useCommand()
  const on = consultation.recording.state === 'recording' || consultation.recording.state === 'paused'
  const words = on
    ? t(pending ? 'room.recordStopPending' : 'room.recordStop')
    : t(pending ? 'room.recordPending' : 'room.record')
  const act = () =>
    void run(async () => {
      hub.learn(await hub.api.record(consultation.id, on ? 'stop' : 'start'))
      say(t(on ? 'room.recordStopped' : 'room.recordStarted'))
    })
  return (
    <BarButton
      icon={on ? <Square size={20} /> : <CircleDot size={20} />}
      pending={pending}
      aria-pressed={on}
      onClick={act}
      data-testid="record-toggle"
      data-recording={on}
    >
      {words}
    </BarButton>
  )
}

interface MoreProps {
  consultation: Consultation
  parties: number
  onInvite(): void
  onDiagnose(): void
  onControl(): void
}

function More({ consultation, parties, onInvite, onDiagnose, onControl }: MoreProps) {
  const t = useT()
  const [ending, setEnding] = useState(false)
  const [run, pending] = useCommand()
  const items: (MenuItem | 'line')[] = []
  if (may(consultation, 'invite'))
    items.push({ key: 'invite', label: t('members.invite'), icon: <UserPlus size={16} />, onPick: onInvite })
  if (may(consultation, 'lead'))
    items.push({
      key: 'control',
      label: t('control.title'),
      icon: <SlidersHorizontal size={16} />,
      onPick: onControl,
      testid: 'control-open',
    })
  if (may(consultation, 'lead'))
    items.push({
      key: 'roll',
      label: t('roll.open'),
      icon: <RollIcon size={16} />,
      onPick: () => openRollStart(consultation.id),
      testid: 'roll-open',
    })
  const held = consultation.recording.state === 'paused'
  if (may(consultation, 'record') && (held || consultation.recording.state === 'recording'))
    items.push({
      key: 'hold',
      label: t(held ? 'room.recordResume' : 'room.recordPause'),
      icon: held ? <CircleDot size={16} /> : <CirclePause size={16} />,
      onPick: () => void run(async () => hub.learn(await hub.api.record(consultation.id, held ? 'resume' : 'pause'))),
      testid: 'record-hold',
    })
  if (may(consultation, 'diagnose'))
    items.push({
      key: 'diagnosis',
      label: t('room.diagnosis'),
      icon: <Activity size={16} />,
      onPick: onDiagnose,
      testid: 'diagnose',
    })
  items.push({ key: 'keys', label: t('app.keys'), icon: <Keyboard size={16} />, onPick: openKeyHelp })
  if (may(consultation, 'end'))
    items.push('line', {
      key: 'end',
      label: t('room.end'),
      icon: <DoorOpen size={16} />,
      onPick: () => setEnding(true),
      testid: 'end',
    })
  return (
    <>
      <MenuButton
        look="ghost"
        className="bar-button"
        icon={<MoreHorizontal size={20} />}
        place="above"
        items={items}
        data-testid="more"
      >
        <span>{t('room.more')}</span>
      </MenuButton>
      {ending && (
        <Confirm
          title={t('room.endTitle', { title: consultation.title })}
          body={t('room.endBody', { count: parties })}
          act={t('room.endAct')}
          pending={pending && t('room.endAct')}
          onConfirm={() => void run(() => hub.api.end(consultation.id)).then(done => done && setEnding(false))}
          onClose={() => setEnding(false)}
        />
      )}
    </>
  )
}
