import { Ban, KeyRound, RefreshCw, ShieldCheck, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { reasonText, useCommand } from '../app/command'
import { hub } from '../app/hub'
import type { AdmittedDevice, Device } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { Confirm, say } from '../ui/overlay'
import { dateTime } from '../ui/time.model'
import { StateChip } from './Devices'
import { progress, spaced } from './devices.model'

interface Props {
  device: Device | undefined
  onAdmit(device: Device): void
  onPassword(of: AdmittedDevice): void
  onChange(): void
}

export function Detail({ device, onAdmit, onPassword, onChange }: Props) {
  const t = useT()
  if (!device)
    return (
      <aside className="device-side note" aria-label={t('hardware.details')}>
        {t('hardware.choose')}
      </aside>
    )
  const reason = reasonText(device.reason)
  const facts: [string, string][] = [
    [t('hardware.code'), spaced(device.code)],
    [t('hardware.org'), device.org?.name ?? t('common.none')],
    [t('label.name'), t(`label.${device.label}`)],
    [t('hardware.address'), [device.address, device.transport].filter(Boolean).join(' ') || t('common.none')],
    [t('hardware.version'), device.version || t('common.none')],
    [
      t('hardware.maker'),
      [device.manufacturer, device.model, device.firmware].filter(Boolean).join(' ') || t('common.none'),
    ],
    [t('hardware.channels'), t('hardware.channelsOf', { online: device.channels_online, total: device.channels })],
  ]
  const seen = device.seen_at ? t('hardware.seen', { time: dateTime(Date.parse(device.seen_at)) }) : t('hardware.never')
  const beat = device.heartbeat_seconds
  return (
    <aside className="device-side" aria-label={t('hardware.details')} data-testid="device-detail">
      <header>
        <h2>{device.name || device.code}</h2>
        <StateChip device={device} />
      </header>
      <p className="note">
        {seen}
        {beat ? ` · ${t('hardware.heartbeat', { seconds: Math.round(beat) })}` : ''}
      </p>
      {reason && <p className="device-reason">{reason}</p>}
      <dl className="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {device.state === 'admitted' && <CatalogueState device={device} onChange={onChange} />}
      <Buttons {...{ device, onAdmit, onPassword, onChange }} />
    </aside>
  )
}

function CatalogueState({ device, onChange }: { device: Device; onChange(): void }) {
  const t = useT()
  const [run, pending] = useCommand()
  const { state, received, total, at } = device.catalogue
  const values = { received, total, time: at ? dateTime(Date.parse(at)) : '' }
  const share = progress(device.catalogue)
  const refresh = async () => {
    if (!(await run(() => hub.cameras.refresh(device.id)))) return
    say(t('hardware.refreshing'))
    onChange()
  }
  return (
    <section className="catalogue" data-testid="catalogue" data-state={state}>
      <h3>{t('hardware.catalogue')}</h3>
      <p className="note">{t(`hardware.catalogueState.${state}`, values)}</p>
      {state === 'running' && (
        <progress aria-label={t('hardware.catalogue')} {...(share !== undefined && { value: share })} max={1} />
      )}
      <Button
        size="small"
        icon={<RefreshCw size={15} />}
        pending={(pending || state === 'running') && t('hardware.refresh')}
        refused={!device.online && t('hardware.offline')}
        onClick={() => void refresh()}
        data-testid="catalogue-refresh"
      >
        {t('hardware.refresh')}
      </Button>
    </section>
  )
}

type Asking = 'refuse' | 'remove' | 'renew' | undefined

function Buttons({ device, onAdmit, onPassword, onChange }: Props & { device: Device }) {
  const t = useT()
  const [asking, setAsking] = useState<Asking>()
  const [run, pending] = useCommand()
  const name = device.name || device.code
  const act = async (work: () => Promise<unknown>) => {
    if (!(await run(work))) return
    setAsking(undefined)
    onChange()
  }
  const renew = () =>
    void run(async () => {
      const of = await hub.cameras.admit(device.id, { org_id: device.org?.id ?? '' })
      setAsking(undefined)
      onPassword(of)
    })
  const close = () => setAsking(undefined)
  return (
    <footer className="device-buttons">
      {device.state !== 'admitted' && (
        <Button
          look="primary"
          icon={<ShieldCheck size={16} />}
          onClick={() => onAdmit(device)}
          data-testid="device-admit"
        >
          {t('hardware.admit')}
        </Button>
      )}
      {device.state === 'admitted' && device.org && (
        <Button icon={<KeyRound size={16} />} onClick={() => setAsking('renew')} data-testid="device-renew">
          {t('hardware.newPassword')}
        </Button>
      )}
      {device.state !== 'refused' && (
        <Button icon={<Ban size={16} />} onClick={() => setAsking('refuse')} data-testid="device-refuse">
          {t('hardware.refuse')}
        </Button>
      )}
      <Button icon={<Trash2 size={16} />} onClick={() => setAsking('remove')} data-testid="device-remove">
        {t('hardware.remove')}
      </Button>
      {asking === 'refuse' && (
        <Confirm
          title={t('hardware.refuseTitle', { code: spaced(device.code) })}
          body={t('hardware.refuseBody')}
          act={t('hardware.refuse')}
          pending={pending && t('hardware.refuse')}
          onConfirm={() => void act(() => hub.cameras.refuse(device.id))}
          onClose={close}
        />
      )}
      {asking === 'remove' && (
        <Confirm
          title={t('hardware.removeTitle', { name })}
          body={t('hardware.removeBody', { count: device.channels })}
          act={t('hardware.remove')}
          pending={pending && t('hardware.removing')}
          onConfirm={() => void act(() => hub.cameras.removeDevice(device.id))}
          onClose={close}
        />
      )}
      {asking === 'renew' && (
        <Confirm
          title={t('hardware.renewTitle', { name })}
          body={t('hardware.renewBody')}
          act={t('hardware.newPassword')}
          pending={pending && t('hardware.admitting')}
          onConfirm={renew}
          onClose={close}
        />
      )}
    </footer>
  )
}
