import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { hub } from '../app/hub'
import type { Snapshot } from '../hub/cameraTypes'
import type { Page } from '../hub/types'
import { type Download, isOpen, type Span } from './files.model'

/** The calls of `/api/v1` about files of cameras: downloads, and snapshots that are kept. */
const id = encodeURIComponent

export const files = {
  download: (camera: string, { from, to }: Span) =>
    hub.http.request<Download>('POST', `/cameras/${id(camera)}/downloads`, {
      body: { from: new Date(from).toISOString(), to: new Date(to).toISOString() },
    }),
  downloads: () => hub.http.request<Page<Download>>('GET', '/downloads', { query: { mine: 'true', limit: '50' } }),
  remove: (key: string) => hub.http.request<void>('DELETE', `/downloads/${id(key)}`),
  snapshots: (camera: string, cursor?: string) =>
    hub.http.request<Page<Snapshot>>('GET', '/snapshots', { query: { camera, cursor, limit: '12' } }),
}

const polled = 1500

/** One's own downloads, the newest first; followed while something comes. */
export function useDownloads() {
  const queries = useQueryClient()
  useEffect(
    () =>
      hub.onEvents(event => {
        if (event.type === 'download.state') void queries.invalidateQueries({ queryKey: ['downloads'] })
      }),
    [queries],
  )
  return useQuery({
    queryKey: ['downloads'],
    queryFn: files.downloads,
    refetchInterval: query => (query.state.data?.items.some(isOpen) ? polled : false),
  })
}

/** The newest pictures that were taken of a camera, by whomever. */
export function useSnapshots(camera: string, may: boolean) {
  const queries = useQueryClient()
  useEffect(
    () =>
      hub.onEvents(event => {
        if (event.type === 'camera.snapshot' && event.subject === camera)
          void queries.invalidateQueries({ queryKey: ['snapshots', camera] })
      }),
    [queries, camera],
  )
  return useQuery({ queryKey: ['snapshots', camera], queryFn: () => files.snapshots(camera), enabled: may })
}
