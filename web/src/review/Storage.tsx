import { useQuery, useQueryClient } from '@tanstack/react-query'
import { HardDrive } from 'lucide-react'
import { useState } from 'react'
import { sentence, useCommand } from '../app/command'
import { hub } from '../app/hub'
import type { Usage } from '../hub/keepingTypes'
import { useT } from '../i18n'
import { Button, Field, ProblemLine } from '../ui/controls'
import { Dialog } from '../ui/overlay'
import { fullness, quotaBytes, sizeText } from './keeping.model'
import { keepingApi } from './keepingApi'
import './keeping.css'

/** A button with what is used, and the panel behind it. */
export function StorageButton() {
  const t = useT()
  const [open, setOpen] = useState(false)
  if (!hub.can('storage.view')) return null
  return (
    <>
      <Button icon={<HardDrive size={16} />} onClick={() => setOpen(true)} data-testid="storage-open">
        {t('storage.title')}
      </Button>
      {open && <StoragePanel onClose={() => setOpen(false)} />}
    </>
  )
}

function StoragePanel({ onClose }: { onClose(): void }) {
  const t = useT()
  const query = useQuery({ queryKey: ['storage'], queryFn: keepingApi.storage })
  const disk = query.data?.disk
  const used = query.data?.organisations.filter(one => one.recordings > 0 || one.own) ?? []
  return (
    <Dialog title={t('storage.title')} onClose={onClose} className="wide" data-testid="storage-panel">
      {query.error && <ProblemLine text={sentence(query.error)} />}
      {disk && (
        <div className="storage-row" data-testid="storage-disk">
          <span className="grow">
            <strong>{t('storage.disk')}</strong>
            <small>{t(`storage.step.${disk.step as 'ample'}`)}</small>
          </span>
          <Meter value={fullness(disk.total - disk.free, disk.total)} hot={disk.level !== 'ample'} />
          <span className="storage-said">
            {t('storage.left', { free: sizeText(disk.free), total: sizeText(disk.total) })}
          </span>
        </div>
      )}
      <h3>{t('storage.quotas')}</h3>
      {query.data && used.length === 0 && <p className="note">{t('storage.nothing')}</p>}
      {used.map(one => (
        <Organisation key={one.org_id} usage={one} />
      ))}
      <p className="note">{t('storage.note')}</p>
    </Dialog>
  )
}

function Organisation({ usage }: { usage: Usage }) {
  const t = useT()
  const client = useQueryClient()
  const [said, setSaid] = useState<string>()
  const [run, pending] = useCommand()
  const bytes = said === undefined ? undefined : quotaBytes(said)
  const save = async () => {
    if (bytes === undefined) return
    if (await run(() => keepingApi.setQuota(usage, bytes))) {
      setSaid(undefined)
      await client.invalidateQueries({ queryKey: ['storage'] })
    }
  }
  return (
    <div className="storage-row" data-testid="storage-org" data-level={usage.level}>
      <span className="grow">
        <strong className="cut">{usage.org_name}</strong>
        <small>{t('storage.recordings', { count: usage.recordings })}</small>
      </span>
      <Meter value={usage.quota ? fullness(usage.bytes, usage.quota) : 0} hot={usage.level > 0} />
      <span className="storage-said">
        {usage.quota
          ? t('storage.of', { used: sizeText(usage.bytes), quota: sizeText(usage.quota), percent: usage.percent })
          : t('storage.unlimited', { used: sizeText(usage.bytes) })}
      </span>
      {hub.can('storage.edit') &&
        (said === undefined ? (
          <Button
            size="small"
            onClick={() => setSaid(usage.quota ? String(usage.quota / 1024 ** 3) : '')}
            data-testid="quota-edit"
          >
            {t('storage.edit')}
          </Button>
        ) : (
          <span className="storage-edit">
            <Field
              label={t('storage.gigabytes')}
              value={said}
              onChange={event => setSaid(event.target.value)}
              onKeyDown={event => {
                if (event.key === 'Enter') void save()
              }}
              data-testid="quota-value"
            />
            <Button
              size="small"
              look="primary"
              pending={pending && t('keeping.pending')}
              refused={bytes === undefined && t('storage.wrong')}
              onClick={() => void save()}
              data-testid="quota-save"
            >
              {t('storage.save')}
            </Button>
          </span>
        ))}
    </div>
  )
}

function Meter({ value, hot }: { value: number; hot: boolean }) {
  return (
    <span className={`storage-meter${hot ? ' hot' : ''}`} aria-hidden>
      <i style={{ inlineSize: `${value}%` }} />
    </span>
  )
}
