import { type Room, Room as RoomClass, RoomEvent, supportsAudioOutputSelection } from 'livekit-client'
import { ChevronDown, ChevronUp } from 'lucide-react'
import { useEffect, useState } from 'react'
import { sentence } from '../app/command'
import { type Key, useT } from '../i18n'
import { Popover, say } from '../ui/overlay'
import { BarButton } from './BarButton'

const kinds: { kind: MediaDeviceKind; name: Key }[] = [
  { kind: 'audioinput', name: 'devices.microphone' },
  { kind: 'videoinput', name: 'devices.camera' },
  { kind: 'audiooutput', name: 'devices.speaker' },
]

/** Which microphone, camera and loudspeaker; changed while the call goes on. */
export function DeviceMenu({ room }: { room: Room }) {
  const t = useT()
  const [open, setOpen] = useState(false)
  return (
    <Popover open={open} onOpen={setOpen}>
      <BarButton
        icon={open ? <ChevronDown size={20} /> : <ChevronUp size={20} />}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        data-testid="devices"
      >
        {t('room.devices')}
      </BarButton>
      {open && (
        <div className="menu above device-menu" role="group" aria-label={t('devices.title')}>
          {kinds.map(({ kind, name }) => (
            <DeviceSelect key={kind} room={room} kind={kind} name={t(name)} />
          ))}
        </div>
      )}
    </Popover>
  )
}

function DeviceSelect({ room, kind, name }: { room: Room; kind: MediaDeviceKind; name: string }) {
  const t = useT()
  const [devices, setDevices] = useState<MediaDeviceInfo[]>([])
  const [active, setActive] = useState(room.getActiveDevice(kind) ?? 'default')
  const choosable = kind !== 'audiooutput' || supportsAudioOutputSelection()
  useEffect(() => {
    let here = true
    const load = () =>
      RoomClass.getLocalDevices(kind, false).then(
        found => {
          if (here) setDevices(found)
        },
        () => undefined,
      )
    void load()
    room.on(RoomEvent.MediaDevicesChanged, load)
    return () => {
      here = false
      room.off(RoomEvent.MediaDevicesChanged, load)
    }
  }, [room, kind])
  const change = (id: string) => {
    const before = active
    setActive(id)
    room.switchActiveDevice(kind, id).catch((error: unknown) => {
      setActive(before)
      say(t('devices.switchFailed', { reason: sentence(error) }), true)
    })
  }
  return (
    <label className="field">
      <span className="note">{name}</span>
      <span className="select-box">
        <select className="select" value={active} disabled={!choosable} onChange={event => change(event.target.value)}>
          {!devices.some(device => device.deviceId === active) && (
            <option value={active}>{t(choosable ? 'devices.default' : 'devices.noChoice')}</option>
          )}
          {devices.map((device, i) => (
            <option key={device.deviceId} value={device.deviceId}>
              {device.label || t('devices.unnamed', { n: i + 1 })}
            </option>
          ))}
        </select>
        <ChevronDown size={16} />
      </span>
    </label>
  )
}
