import type { LocalVideoTrack } from 'livekit-client'
import { Headphones, MicOff, RefreshCw, SlidersHorizontal, VideoOff } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { useHub } from '../app/hub'
import { type Key, useT } from '../i18n'
import { Avatar, Button } from '../ui/controls'
import { type DeviceProblem, type Devices, openDevices } from './devices'
import { Picture } from './Picture'
import '../ui/tile.css'

type Stage = { at: 'opening' } | { at: 'problem'; devices: Devices }

const titles: Record<DeviceProblem, Key> = {
  denied: 'gate.micDenied',
  missing: 'gate.micMissing',
  busy: 'gate.micBusy',
  insecure: 'gate.insecure',
}
const hints: Record<DeviceProblem, Key> = {
  denied: 'gate.micDeniedHint',
  missing: 'gate.micMissingHint',
  busy: 'gate.micBusyHint',
  insecure: 'gate.insecureHint',
}

/** Opens microphone and camera before joining; when the microphone is refused it says what to do, or joins to listen. */
export function Gate({ onReady }: { onReady(devices: Devices): void }) {
  const t = useT()
  const [stage, setStage] = useState<Stage>({ at: 'opening' })
  const ready = useRef(onReady)
  ready.current = onReady

  useEffect(() => {
    let here = true
    void openDevices().then(devices => {
      if (!here) {
        devices.audio?.stop()
        devices.video?.stop()
      } else if (devices.mic) setStage({ at: 'problem', devices })
      else ready.current(devices)
    })
    return () => {
      here = false
    }
  }, [])

  if (stage.at === 'opening')
    return (
      <div className="center" role="status">
        <div>
          <span className="spin big" />
          <h1>{t('gate.opening')}</h1>
          <p>{t('gate.openingHint')}</p>
        </div>
      </div>
    )
  return (
    <MicProblem devices={stage.devices} onChange={devices => setStage({ at: 'problem', devices })} onReady={onReady} />
  )
}

interface ProblemProps {
  devices: Devices
  onChange(devices: Devices): void
  onReady(devices: Devices): void
}

function MicProblem({ devices, onChange, onReady }: ProblemProps) {
  const t = useT()
  const [asking, setAsking] = useState(false)
  const mic = devices.mic ?? { problem: 'busy' as const, name: '' }
  const again = async () => {
    setAsking(true)
    const next = await openDevices()
    setAsking(false)
    devices.video?.stop()
    if (next.mic) onChange(next)
    else onReady(next)
  }
  useAllowed(() => void again())
  return (
    <div className="gate">
      <div className="gate-preview">
        <Preview video={devices.video} />
        <div className="gate-devices">
          <DeviceState name={t('gate.camera')} problem={devices.camera?.problem} />
          <DeviceState name={t('gate.microphone')} problem={mic.problem} />
        </div>
      </div>
      <div className="gate-words" role="alert">
        <span className="gate-icon">
          <MicOff size={28} />
        </span>
        <h1>{t(titles[mic.problem])}</h1>
        <p>{t(hints[mic.problem])}</p>
        {mic.problem === 'denied' && <Steps />}
        <div className="gate-buttons">
          {mic.problem !== 'insecure' && (
            <Button
              look="primary"
              size="large"
              icon={<RefreshCw size={18} />}
              pending={asking && t('gate.asking')}
              onClick={() => void again()}
              data-testid="gate-again"
            >
              {t(mic.problem === 'denied' ? 'gate.ask' : 'common.tryAgain')}
            </Button>
          )}
          <Button
            size="large"
            icon={<Headphones size={18} />}
            onClick={() => onReady(devices)}
            data-testid="gate-listen"
          >
            {t('gate.listen')}
          </Button>
        </div>
        <details>
          <summary>{t('common.forTechnicians')}</summary>
          <code>{t('gate.technical', { name: mic.name, device: 'audioinput' })}</code>
        </details>
      </div>
    </div>
  )
}

/** When somebody changes the permission in the browser it goes on by itself. */
function useAllowed(act: () => void): void {
  const current = useRef(act)
  current.current = act
  useEffect(() => {
    let status: PermissionStatus | undefined
    const changed = () => {
      if (status?.state === 'granted') current.current()
    }
    // Firefox knows no such name and says so.
    navigator.permissions
      ?.query({ name: 'microphone' as PermissionName })
      .then(found => {
        status = found
        status.addEventListener('change', changed)
      })
      .catch(() => undefined)
    return () => status?.removeEventListener('change', changed)
  }, [])
}

function Steps() {
  const t = useT()
  return (
    <ol className="steps">
      <li>
        {t('gate.step1a')} <SlidersHorizontal size={16} aria-hidden /> {t('gate.step1b')}
      </li>
      <li>
        {t('gate.step2a')} <span className="chip accent">{t('gate.step2b')}</span>
      </li>
      <li>{t('gate.step3')}</li>
    </ol>
  )
}

function Preview({ video }: { video: LocalVideoTrack | undefined }) {
  const t = useT()
  const person = useHub(state => state.session?.person)
  const name = person?.name ?? ''
  return (
    <div className="tile gate-picture">
      {video ? <Picture track={video} fit="cover" mirrored /> : <Avatar name={name} />}
      <span className="tile-label">
        {video ? <MicOff size={14} /> : <VideoOff size={14} />}
        <strong>
          {name}
          {t('common.me')}
        </strong>
        <span>{person?.org.name}</span>
      </span>
    </div>
  )
}

function DeviceState({ name, problem }: { name: string; problem: DeviceProblem | undefined }) {
  const t = useT()
  const words: Record<DeviceProblem, Key> = {
    denied: 'gate.notAllowed',
    insecure: 'gate.notAllowed',
    missing: 'gate.notFound',
    busy: 'picker.failed',
  }
  return (
    <div className="field">
      <span className="note">{name}</span>
      <span className={`device-state${problem ? ' off' : ''}`}>{problem ? t(words[problem]) : t('gate.ready')}</span>
    </div>
  )
}
