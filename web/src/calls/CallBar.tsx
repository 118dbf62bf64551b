import { ArrowRightLeft, Mic, MicOff, Pause, Phone, PhoneOff, Play, UserPlus, Video, VideoOff } from 'lucide-react'
import { useState } from 'react'
import { useStore } from 'zustand'
import { useCommand, useTick } from '../app/command'
import { hub } from '../app/hub'
import { VerbMenu } from '../dispatch/VerbMenu'
import { useT } from '../i18n'
import { CallLight, RecordCall } from '../recorded/RecordCall'
import { Avatar, Button } from '../ui/controls'
import { useKeys } from '../ui/keys'
import { duration } from '../ui/time.model'
import { CallDialog } from './CallDialog'
import { CallPictures } from './CallPictures'
import { activeAt, type Call, legAt, othersIn, situation, talked, transferable } from './calls.model'
import { desk } from './desk'

/** Below every page while this terminal is in a call: who it is, how long, and what may be done. */
export function CallBar() {
  const t = useT()
  const calls = useStore(desk.store, state => state.calls)
  const here = activeAt(calls, desk.terminal)
  useTick(1000, here.length > 0)
  const [first, ...held] = here
  if (!first) return null
  return (
    <>
      <CallPictures call={first} />
      <section className="call-bar" aria-label={t('call.bar')} data-testid="call-bar">
        <Talk key={first.id} call={first} consulted={held[0]} />
        {held.map(call => (
          <Held key={call.id} call={call} />
        ))}
      </section>
    </>
  )
}

function useNames(call: Call): { name: string; org: string; count: number } {
  const t = useT()
  const others = othersIn(call, desk.terminal)
  const name = others[0]?.name ?? ''
  return others.length > 1
    ? { name: t('call.and', { name, count: others.length }), org: '', count: others.length }
    : { name, org: others[0]?.org ?? '', count: others.length }
}

/** `consulted` is held meanwhile: it can be connected with this one. */
function Talk({ call, consulted }: { call: Call; consulted: Call | undefined }) {
  const t = useT()
  const line = useStore(desk.store, state => state.lines[call.id])
  const muted = useStore(desk.store, state => state.muted)
  const [dialog, setDialog] = useState<'transfer' | 'add'>()
  const [run, pending] = useCommand()
  const names = useNames(call)
  const held = legAt(call, desk.terminal)?.state === 'held'
  const may = transferable(call)
  // Whoever is called talks already: what may be done about that.
  const busy = call.legs.find(leg => leg.waiting && leg.state !== 'ended')?.person
  const hold = () => void run(() => (held ? desk.resume(call.id) : desk.hold(call.id)))
  const hangUp = () => void run(() => desk.hangUp(call.id))
  const mute = () => desk.setMuted(!muted)
  useKeys('call', {
    callMute: mute,
    callHold: hold,
    callTransfer: () => may && setDialog('transfer'),
    callHangUp: hangUp,
  })
  return (
    <>
      <Who call={call} />
      <div className="call-buttons">
        <Button
          icon={muted ? <MicOff size={18} /> : <Mic size={18} />}
          aria-pressed={muted}
          look={muted ? 'inverse' : 'plain'}
          hint="callMute"
          onClick={mute}
          refused={line !== 'in' && t(line ? `call.${line}` : 'call.elsewhere')}
          data-testid="call-mute"
        >
          {t(muted ? 'call.unmute' : 'call.mute')}
        </Button>
        {call.video && <CameraButton id={call.id} here={line === 'in'} />}
        <Button
          icon={held ? <Play size={18} /> : <Pause size={18} />}
          look={held ? 'primary' : 'plain'}
          hint="callHold"
          onClick={hold}
          data-testid="call-hold"
        >
          {t(held ? 'call.resume' : 'call.hold')}
        </Button>
        {consulted && may && transferable(consulted) ? (
          <Connect call={consulted} with={call} />
        ) : (
          <Button
            icon={<ArrowRightLeft size={18} />}
            hint="callTransfer"
            refused={!may && t('call.transferNot')}
            onClick={() => setDialog('transfer')}
            data-testid="call-transfer"
          >
            {t('call.transferTo')}
          </Button>
        )}
        <Button
          icon={<UserPlus size={18} />}
          refused={held && t('call.held')}
          onClick={() => setDialog('add')}
          data-testid="call-add"
        >
          {t('call.add')}
        </Button>
        <RecordCall call={call.id} refused={call.state !== 'active' && t('call.calling')} />
        {busy && (
          <VerbMenu
            target={busy}
            place="above-end"
            onDone={verb => {
              if (verb !== 'monitor' && verb !== 'whisper' && verb !== 'release') void desk.hangUp(call.id)
            }}
          />
        )}
      </div>
      <Button
        className="call-hangup"
        look="inverse"
        size="large"
        icon={<PhoneOff size={18} />}
        hint="callHangUp"
        pending={pending && t('call.hangup')}
        onClick={hangUp}
        data-testid="call-hangup"
      >
        {t('call.hangup')}
      </Button>
      {dialog === 'transfer' && (
        <CallDialog
          title={t('call.transferTitle', { name: names.name })}
          act={t('call.transfer')}
          pending={t('call.transferPending')}
          one
          onAct={([to]) => (to ? desk.transfer(call.id, to) : Promise.resolve())}
          onClose={() => setDialog(undefined)}
        />
      )}
      {dialog === 'add' && (
        <CallDialog
          title={t('call.addTitle')}
          act={t('call.add')}
          pending={t('call.pending')}
          without={new Set(call.legs.filter(leg => leg.state !== 'ended').map(leg => leg.person.id))}
          onAct={to => desk.add(call.id, to)}
          onClose={() => setDialog(undefined)}
        />
      )}
    </>
  )
}

function CameraButton({ id, here }: { id: string; here: boolean }) {
  const t = useT()
  const on = useStore(desk.store, state => state.shots[id]?.some(shot => shot.local) ?? false)
  const [run, pending] = useCommand()
  const turn = () => void run(() => desk.camera(id, !on))
  useKeys('call', { callCamera: turn })
  return (
    <Button
      icon={on ? <Video size={18} /> : <VideoOff size={18} />}
      aria-pressed={on}
      hint="callCamera"
      refused={!here && t('call.elsewhere')}
      pending={pending && t('call.camera')}
      onClick={turn}
      data-testid="call-camera"
    >
      {t(on ? 'call.cameraOff' : 'call.camera')}
    </Button>
  )
}

/** The one on hold is given to whom one talks to now. */
function Connect({ call, with: other }: { call: Call; with: Call }) {
  const t = useT()
  const [run, pending] = useCommand()
  const { name } = useNames(call)
  return (
    <Button
      look="primary"
      icon={<ArrowRightLeft size={18} />}
      pending={pending && t('call.transferPending')}
      onClick={() => void run(() => desk.connect(call.id, other.id))}
      data-testid="call-connect"
    >
      {t('call.connect', { name })}
    </Button>
  )
}

function Who({ call }: { call: Call }) {
  const t = useT()
  const line = useStore(desk.store, state => state.lines[call.id])
  const { name, org, count } = useNames(call)
  const now = situation(call, desk.terminal)
  const seconds = talked(call, hub.now())
  const shown = now === 'talking' && line !== 'in' ? (line ?? 'elsewhere') : now
  return (
    <div className="call-who" data-testid="call-who" data-situation={now}>
      {now === 'talking' ? <Avatar name={name} /> : <Phone size={22} aria-hidden />}
      <div>
        <strong className="cut">{name}</strong>
        <span className="note cut">{org || (count > 1 ? t('call.conference', { count: count + 1 }) : '')}</span>
      </div>
      <div className="call-state">
        <span className={now === 'talking' ? 'is-on' : ''} role="status">
          {t(`call.${shown}`)}
        </span>
        {seconds !== undefined && <time>{duration(seconds * 1000)}</time>}
      </div>
      <CallLight call={call.id} />
    </div>
  )
}

/** A call that waits while another one is talked in. */
function Held({ call }: { call: Call }) {
  const t = useT()
  const [run, pending] = useCommand()
  const { name } = useNames(call)
  return (
    <div className="call-held" data-testid="call-held">
      <span>
        <strong className="cut">{name}</strong>
        <small className="note">{t('call.held')}</small>
      </span>
      <Button size="small" pending={pending && t('call.resume')} onClick={() => void run(() => desk.resume(call.id))}>
        {t('call.resume')}
      </Button>
      <Button size="small" look="ghost" onClick={() => void run(() => desk.hangUp(call.id))}>
        {t('call.hangup')}
      </Button>
    </div>
  )
}
