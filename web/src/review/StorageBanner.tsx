import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { hub } from '../app/hub'
import type { StorageState } from '../hub/keepingTypes'
import { useT } from '../i18n'
import { sizeText } from './keeping.model'
import { keepingApi } from './keepingApi'

const LOOK = 60_000

/** What recordings take, kept as it changes; undefined without the right. */
export function useStorage(): StorageState | undefined {
  const client = useQueryClient()
  const on = hub.can('storage.view')
  useEffect(
    () =>
      on
        ? hub.onEvents(event => {
            if (event.type.startsWith('storage.')) void client.invalidateQueries({ queryKey: ['storage'] })
          })
        : undefined,
    [client, on],
  )
  return useQuery({ queryKey: ['storage'], queryFn: keepingApi.storage, enabled: on, refetchInterval: LOOK }).data
}

/** Below the top bar while the disk of recordings gets full. */
export function StorageBanner() {
  const t = useT()
  const disk = useStorage()?.disk
  if (!disk || disk.level === 'ample') return null
  return (
    <div className="banner storage-banner" role="alert" data-testid="storage-banner" data-level={disk.level}>
      <strong>{t(`storage.banner.${disk.level}`)}</strong>
      <span>{t('storage.left', { free: sizeText(disk.free), total: sizeText(disk.total) })}</span>
    </div>
  )
}
