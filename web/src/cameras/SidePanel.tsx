import type { Track } from 'livekit-client'
import { Camera as CameraIcon, Images, Mic, MicOff, Send, Volume2, VolumeX, Wrench, X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useCommand, useTick } from '../app/command'
import { hub } from '../app/hub'
import type { CameraDetail, Position } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { Picture, Sound } from '../room/Picture'
import { Button } from '../ui/controls'
import { say } from '../ui/overlay'
import { AlarmRow, useAlarmsOf } from './alarms'
import type { ViewConnection } from './connection'
import type { Control } from './desk'
import { Ptz } from './Ptz'
import { SnapshotList } from './SnapshotList'

interface Props {
  camera: CameraDetail | undefined
  track: Track | undefined
  sound: Track | undefined
  /** Its picture is large on the wall already. */
  large: boolean
  connection: ViewConnection | undefined
  identity: string | undefined
  control: Control
  shots: number
  shooting: boolean
  onShoot(): void
  onPush(): void
  onGallery(): void
  /** Where it lies over the wall. */
  onHide(): void
}

export function SidePanel(props: Props) {
  const t = useT()
  const { camera, track, large } = props
  if (!camera)
    return (
      <aside id="camera-side" className="camera-side empty-side" aria-label={t('side.label')}>
        <Hide onHide={props.onHide} />
        <p className="note">{t('side.choose')}</p>
      </aside>
    )
  return (
    <aside
      id="camera-side"
      className="camera-side"
      aria-label={t('side.label')}
      data-testid="camera-side"
      data-camera={camera.id}
      onKeyDown={event => event.key === 'Escape' && props.onHide()}
    >
      <Hide onHide={props.onHide} />
      <div className="side-scroll">
        <section className="side-part">
          {track && !large && (
            <div className="side-picture">
              <Picture track={track} fit="contain" />
            </div>
          )}
          <h2>{camera.name}</h2>
          <Facts camera={camera} track={track} />
          {camera.faulty && (
            <p className="note side-faulty" role="status" data-testid="side-faulty">
              <Wrench size={14} /> {t('cameras.faulty')}
            </p>
          )}
        </section>
        <Ptz key={camera.id} camera={camera} control={props.control} />
        <Viewers camera={camera} />
        <Alarms camera={camera} />
        <SnapshotList camera={camera} />
      </div>
      <Buttons {...props} camera={camera} />
    </aside>
  )
}

/** Whose it is, whether it turns, and what comes of it now. */
function Facts({ camera, track }: { camera: CameraDetail; track: Track | undefined }) {
  const t = useT()
  useTick(2000, track !== undefined)
  const { width, height } = track?.mediaStreamTrack.getSettings() ?? {}
  const facts = [camera.org.name, t(`fault.protocol.${camera.protocol}`)]
  if (camera.ptz) facts.push(t('ptz.title'))
  if (camera.codec) facts.push(camera.codec)
  if (width && height) facts.push(`${width}×${height}`)
  return (
    <>
      <p className="note">{facts.join(' · ')}</p>
      {camera.position && (
        <p className="note" data-testid="side-position">
          {t('side.position', { position: degrees(camera.position) })}
        </p>
      )}
    </>
  )
}

/** To five decimals: about a metre. */
function degrees({ longitude, latitude }: Position): string {
  return `${longitude.toFixed(5)}, ${latitude.toFixed(5)}`
}

function Hide({ onHide }: { onHide(): void }) {
  const t = useT()
  return (
    <Button
      size="small"
      look="ghost"
      square
      className="side-hide"
      icon={<X size={18} />}
      aria-label={t('side.hide')}
      onClick={onHide}
      data-testid="side-hide"
    />
  )
}

const viewersShown = 3

function Viewers({ camera }: { camera: CameraDetail }) {
  const t = useT()
  const more = camera.viewers.length - viewersShown
  return (
    <section className="side-part" data-testid="viewers">
      <h3>{t('side.viewers', { count: camera.viewers.length })}</h3>
      {camera.viewers.length === 0 && <p className="note">{t('side.nobody')}</p>}
      <ul className="viewers">
        {camera.viewers.slice(0, viewersShown).map((viewer, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: somebody may watch from two places
          <li key={i}>
            <span className="cut">{viewer.name}</span>
            <span className="note cut">{viewer.where || viewer.org_name}</span>
          </li>
        ))}
        {more > 0 && <li className="note">{t('side.moreViewers', { count: more })}</li>}
      </ul>
    </section>
  )
}

function Alarms({ camera }: { camera: CameraDetail }) {
  const t = useT()
  const alarms = useAlarmsOf(camera.id)
  return (
    <section className="side-part" data-testid="camera-alarms">
      <h3>{t('side.alarms')}</h3>
      {alarms.length === 0 && <p className="note">{t('side.noAlarms')}</p>}
      <ul>
        {alarms.slice(0, 5).map(alarm => (
          <AlarmRow key={alarm.id} alarm={alarm} />
        ))}
      </ul>
    </section>
  )
}

function Buttons(props: Props & { camera: CameraDetail }) {
  const t = useT()
  const { camera, sound, connection, identity } = props
  const [heard, setHeard] = useState(false)
  useEffect(() => {
    connection?.hear(heard ? identity : undefined)
  }, [connection, identity, heard])
  useEffect(() => () => connection?.hear(undefined), [connection])
  return (
    <footer className="side-buttons">
      {heard && sound && <Sound track={sound} />}
      <Button
        icon={<CameraIcon size={18} />}
        refused={!camera.may.includes('snapshot') && t('spot.locked')}
        pending={props.shooting && t('side.shooting')}
        onClick={props.onShoot}
        data-testid="shoot"
      >
        {t('side.shoot')}
      </Button>
      <Speak camera={camera} connection={connection} />
      <Button icon={<Send size={18} />} onClick={props.onPush} data-testid="push">
        {t('side.push')}
      </Button>
      <Button
        icon={heard ? <Volume2 size={18} /> : <VolumeX size={18} />}
        aria-pressed={heard}
        onClick={() => setHeard(!heard)}
      >
        {t(heard ? 'side.soundOff' : 'side.sound')}
      </Button>
      {props.shots > 0 && (
        <Button icon={<Images size={18} />} className="wide" onClick={props.onGallery} data-testid="gallery-open">
          {t('side.gallery', { count: props.shots })}
        </Button>
      )}
    </footer>
  )
}

/** The microphone of this page to the loudspeaker at the camera. Another camera or page ends it. */
function Speak({ camera, connection }: { camera: CameraDetail; connection: ViewConnection | undefined }) {
  const t = useT()
  const [on, setOn] = useState<string>()
  const [run, pending] = useCommand()
  const id = camera.id
  useEffect(
    () => () => {
      // Leaving the camera with the microphone open would let people speak without knowing.
      setOn(old => {
        if (old === id) void stop(connection, id)
        return undefined
      })
    },
    [connection, id],
  )
  const toggle = async () => {
    if (!connection) return
    if (on === id) {
      setOn(undefined)
      await run(() => stop(connection, id))
      return
    }
    const done = await run(async () => {
      await connection.publishMicrophone()
      try {
        await hub.cameras.speak(id, connection.terminal)
      } catch (error) {
        await connection.muteMicrophone()
        throw error
      }
    })
    if (!done) return
    setOn(id)
    say(t('side.spoken', { name: camera.name }))
  }
  return (
    <Button
      icon={on === id ? <MicOff size={18} /> : <Mic size={18} />}
      aria-pressed={on === id}
      refused={!camera.may.includes('voice') && t('spot.locked')}
      pending={pending && t('side.speakPending')}
      onClick={() => void toggle()}
      data-testid="speak"
    >
      {t(on === id ? 'side.speaking' : 'side.speak')}
    </Button>
  )
}

async function stop(connection: ViewConnection | undefined, camera: string): Promise<void> {
  await connection?.muteMicrophone()
  await hub.cameras.hush(camera)
}
