import { useQuery } from '@tanstack/react-query'
import { Copy } from 'lucide-react'
import { useState } from 'react'
import { useCommand } from '../app/command'
import { hub } from '../app/hub'
import type { AdmittedDevice, Device } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { Button, Choice, Field } from '../ui/controls'
import { ActDialog, Dialog, say } from '../ui/overlay'
import { isCode, spaced } from './devices.model'

interface DoneProps {
  onDone(of: AdmittedDevice): void
  onClose(): void
}

/** Lets a device that waits in: whose it is, and what it is called. */
export function AdmitDialog({ device, onDone, onClose }: DoneProps & { device: Device }) {
  const t = useT()
  const [name, setName] = useState(device.name)
  const [org, setOrg] = useState(device.org?.id ?? '')
  const [tried, setTried] = useState(false)
  const [run, pending] = useCommand()
  const submit = async () => {
    setTried(true)
    if (!org) return
    const given = name.trim()
    await run(async () => onDone(await hub.cameras.admit(device.id, { org_id: org, ...(given && { name: given }) })))
  }
  return (
    <ActDialog
      title={t('hardware.admitTitle', { code: spaced(device.code) })}
      note={t('hardware.admitHint')}
      onClose={onClose}
      data-testid="admit-dialog"
      act={t('hardware.admit')}
      pending={pending && t('hardware.admitting')}
      onAct={() => void submit()}
      data-act="admit-submit"
    >
      <OrgField value={org} onChange={setOrg} tried={tried} />
      <Field
        label={t('hardware.name')}
        value={name}
        maxLength={100}
        onChange={event => setName(event.target.value)}
        data-testid="admit-name"
      />
    </ActDialog>
  )
}

/** A device that has not called yet. */
export function AddDialog({ onDone, onClose }: DoneProps) {
  const t = useT()
  const [code, setCode] = useState('')
  const [name, setName] = useState('')
  const [org, setOrg] = useState('')
  const [tried, setTried] = useState(false)
  const [run, pending] = useCommand()
  const plain = code.replace(/\s/g, '')
  const submit = async () => {
    setTried(true)
    if (!isCode(plain) || !name.trim() || !org) return
    await run(async () => onDone(await hub.cameras.addDevice({ code: plain, name: name.trim(), org_id: org })))
  }
  return (
    <ActDialog
      title={t('hardware.addTitle')}
      note={t('hardware.addHint')}
      onClose={onClose}
      data-testid="add-dialog"
      act={t('hardware.add')}
      pending={pending && t('hardware.adding')}
      onAct={() => void submit()}
      data-act="add-submit"
    >
      <Field
        label={t('hardware.code')}
        value={code}
        inputMode="numeric"
        maxLength={24}
        data-focus
        onChange={event => setCode(event.target.value)}
        problem={tried && !isCode(plain) ? t('hardware.codeBad') : undefined}
        data-testid="add-code"
      />
      <Field
        label={t('hardware.name')}
        value={name}
        maxLength={100}
        onChange={event => setName(event.target.value)}
        problem={tried && !name.trim() ? t('hardware.nameMissing') : undefined}
        data-testid="add-name"
      />
      <OrgField value={org} onChange={setOrg} tried={tried} />
    </ActDialog>
  )
}

function OrgField({ value, onChange, tried }: { value: string; onChange(id: string): void; tried: boolean }) {
  const t = useT()
  const query = useQuery({ queryKey: ['organisations'], queryFn: () => hub.api.organisations(), staleTime: 300_000 })
  const orgs = query.data?.items ?? []
  return (
    <Choice
      label={t('hardware.org')}
      value={value}
      options={[['', t('hardware.orgChoose')], ...orgs.map(org => [org.id, org.name] as const)]}
      onChange={onChange}
      problem={tried && !value ? t('hardware.orgChoose') : undefined}
      data-testid="device-org"
    />
  )
}

/** The one time a device's password is shown. */
export function PasswordDialog({ of, onClose }: { of: AdmittedDevice; onClose(): void }) {
  const t = useT()
  const [run] = useCommand()
  const copy = async () => {
    if (await run(() => navigator.clipboard.writeText(of.password))) say(t('hardware.copied'))
  }
  return (
    <Dialog
      title={t('hardware.passwordTitle')}
      note={of.device.name || of.device.code}
      onClose={onClose}
      data-testid="password-dialog"
      footer={
        <>
          <Button icon={<Copy size={16} />} onClick={() => void copy()} data-testid="password-copy">
            {t('hardware.copy')}
          </Button>
          <Button look="primary" data-focus onClick={onClose} data-testid="password-done">
            {t('hardware.done')}
          </Button>
        </>
      }
    >
      <p>{t('hardware.passwordHint')}</p>
      <dl className="facts">
        <div>
          <dt>{t('hardware.code')}</dt>
          <dd>{spaced(of.device.code)}</dd>
        </div>
        <div>
          <dt>{t('hardware.password')}</dt>
          <dd className="password" data-testid="password">
            {of.password}
          </dd>
        </div>
      </dl>
    </Dialog>
  )
}
