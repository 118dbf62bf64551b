import {
  Aperture,
  ChevronDown,
  ChevronLeft,
  ChevronRight,
  ChevronUp,
  Circle,
  Focus,
  Home,
  Lock as LockIcon,
  Scan,
  ZoomIn,
  ZoomOut,
} from 'lucide-react'
import { type ReactNode, useEffect, useState } from 'react'
import { useCommand, useTick } from '../app/command'
import { hub, useHub } from '../app/hub'
import type { CameraDetail, Lock, Motion } from '../hub/cameraTypes'
import { type Key, useT } from '../i18n'
import { Button } from '../ui/controls'
import { useKeys } from '../ui/keys'
import { say } from '../ui/overlay'
import { duration } from '../ui/time.model'

import { Acts } from './Acts'
import type { Control } from './desk'
import { type PresetList, Presets, usePresets } from './Presets'

const storedSpeed = 'commhub.ptzSpeed'

/** Pad, lens, lock and presets of the selected camera. */
export function Ptz({ camera, control }: { camera: CameraDetail; control: Control }) {
  const t = useT()
  const [speed, setSpeed] = useState(() => Math.min(10, Math.max(1, Number(localStorage.getItem(storedSpeed)) || 5)))
  const linked = useHub(state => state.link.state === 'open')
  const may = camera.may.includes('move')
  const lock = control.lockOf(camera)
  const presets = usePresets(camera)
  const why = !camera.ptz ? t('ptz.none') : !may ? t('ptz.noRight') : linked ? '' : t('ptz.noLink')
  const refusal = control.refused?.camera === camera.id ? control.refused : undefined
  return (
    <section className="side-part ptz" aria-label={t('ptz.title')} data-testid="ptz">
      <header>
        <h3>{t('ptz.title')}</h3>
        <span className="grow" />
        <LockChip camera={camera} lock={lock} may={may && camera.ptz} />
        <Acts camera={camera} />
      </header>
      {why && <p className="note">{why}</p>}
      {camera.ptz && may && (
        <>
          <Pads camera={camera} control={control} speed={speed / 10} presets={presets} off={!linked} />
          {refusal && (
            <p className="note refusal" role="alert" data-testid="ptz-refused">
              {t('ptz.refused', { reason: refusal.text })}
            </p>
          )}
          <label className="ptz-speed">
            <span className="note">{t('ptz.speed')}</span>
            <input
              type="range"
              min={1}
              max={10}
              value={speed}
              onKeyDown={event => event.stopPropagation()}
              onChange={event => {
                setSpeed(Number(event.target.value))
                localStorage.setItem(storedSpeed, event.target.value)
              }}
              data-testid="ptz-speed"
            />
            <span className="note">{speed}</span>
          </label>
          <Presets camera={camera} list={presets} />
        </>
      )}
    </section>
  )
}

interface PadsProps {
  camera: CameraDetail
  control: Control
  /** 0.1 … 1 */
  speed: number
  presets: PresetList
  off: boolean
}

function Pads({ camera, control, speed, presets, off }: PadsProps) {
  const t = useT()
  const { mover } = control
  const [run] = useCommand()
  const id = camera.id
  const hold = (hand: string, part: Partial<Motion>) => (down: boolean) => {
    if (off) return
    if (down) mover.hold(id, hand, part)
    else mover.letGo(hand)
  }
  useEffect(() => () => mover.stop(), [mover])
  const home = () => void run(() => hub.cameras.control(id, 'home', { enabled: '1' }))
  useKeys(
    'cameras',
    {
      moveLeft: hold('key left', { pan: -speed }),
      moveRight: hold('key right', { pan: speed }),
      moveUp: hold('key up', { tilt: speed }),
      moveDown: hold('key down', { tilt: -speed }),
      zoomIn: hold('key in', { zoom: speed }),
      zoomOut: hold('key out', { zoom: -speed }),
      cameraHome: home,
      ...presets.keys,
    },
    !off,
  )
  const button = (name: Key, icon: ReactNode, part: Partial<Motion>, className = '') => (
    <Holding name={t(name)} icon={icon} className={className} onHold={hold(`button ${name}`, part)} testid={name} />
  )
  return (
    <div className="ptz-pads">
      <div className="pad" role="group" aria-label={t('ptz.pad')}>
        {button('ptz.upLeft', <i className="pad-dot" />, { pan: -speed, tilt: speed }, 'ul')}
        {button('ptz.up', <ChevronUp size={18} />, { tilt: speed }, 'u')}
        {button('ptz.upRight', <i className="pad-dot" />, { pan: speed, tilt: speed }, 'ur')}
        {button('ptz.left', <ChevronLeft size={18} />, { pan: -speed }, 'l')}
        <button type="button" className="pad-home" aria-label={t('ptz.home')} title={t('ptz.home')} onClick={home}>
          <Home size={16} />
        </button>
        {button('ptz.right', <ChevronRight size={18} />, { pan: speed }, 'r')}
        {button('ptz.downLeft', <i className="pad-dot" />, { pan: -speed, tilt: -speed }, 'dl')}
        {button('ptz.down', <ChevronDown size={18} />, { tilt: -speed }, 'd')}
        {button('ptz.downRight', <i className="pad-dot" />, { pan: speed, tilt: -speed }, 'dr')}
      </div>
      <div className="lens">
        {button('ptz.zoomOut', <ZoomOut size={16} />, { zoom: -speed })}
        <span>{t('ptz.zoom')}</span>
        {button('ptz.zoomIn', <ZoomIn size={16} />, { zoom: speed })}
        {button('ptz.focusNear', <Focus size={16} />, { focus: -speed })}
        <span>{t('ptz.focus')}</span>
        {button('ptz.focusFar', <Scan size={16} />, { focus: speed })}
        {button('ptz.irisClose', <Circle size={16} />, { iris: -speed })}
        <span>{t('ptz.iris')}</span>
        {button('ptz.irisOpen', <Aperture size={16} />, { iris: speed })}
      </div>
    </div>
  )
}

interface HoldingProps {
  name: string
  icon: ReactNode
  className: string
  testid: string
  onHold(down: boolean): void
}

/** Works as long as it is pressed, with the pointer or with Space and Enter. */
function Holding({ name, icon, className, testid, onHold }: HoldingProps) {
  const up = () => onHold(false)
  return (
    <button
      type="button"
      className={`holding ${className}`}
      aria-label={name}
      title={name}
      onPointerDown={event => {
        if (event.button !== 0) return
        event.currentTarget.setPointerCapture(event.pointerId)
        onHold(true)
      }}
      onPointerUp={up}
      onPointerCancel={up}
      onLostPointerCapture={up}
      onKeyDown={event => {
        if ((event.key === ' ' || event.key === 'Enter') && !event.repeat) onHold(true)
      }}
      onKeyUp={up}
      onBlur={up}
      onContextMenu={event => event.preventDefault()}
      data-testid={testid.replace('.', '-')}
    >
      {icon}
    </button>
  )
}

/** Who moves it. One's own lock can be let go; another's is taken over by who stands above him. */
function LockChip({ camera, lock, may }: { camera: CameraDetail; lock: Lock | null; may: boolean }) {
  const t = useT()
  const level = useHub(state => state.session?.person.level ?? null)
  const [run, pending] = useCommand()
  useTick(1000, lock !== null)
  const left = lock ? Date.parse(lock.until) - hub.now() : 0
  if (!lock || left <= 0) return may ? <span className="chip">{t('ptz.free')}</span> : null
  if (lock.mine)
    return (
      <button
        type="button"
        className="chip accent"
        title={t('ptz.release')}
        onClick={() => void run(() => hub.cameras.unlock(camera.id))}
        data-testid="lock-mine"
      >
        <LockIcon size={12} /> {t('ptz.mine', { time: duration(left + 999) })}
      </button>
    )
  const above = level !== null && lock.holder.level !== null && level < lock.holder.level
  const seize = async () => {
    if (await run(() => hub.cameras.lock(camera.id))) say(t('ptz.seized'))
  }
  return (
    <span className="lock-other">
      <span className="chip" title={lock.holder.org_name} data-testid="lock-other">
        <LockIcon size={12} /> {t('ptz.theirs', { name: lock.holder.name })}
      </span>
      {may && above && (
        <Button size="small" pending={pending && t('ptz.seize')} onClick={() => void seize()} data-testid="lock-seize">
          {t('ptz.seize')}
        </Button>
      )}
    </span>
  )
}
