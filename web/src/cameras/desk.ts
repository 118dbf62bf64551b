import { useQueries, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import { hub, useHub } from '../app/hub'
import type { CameraDetail, Lock, Refused } from '../hub/cameraTypes'
import { HubError } from '../hub/http'
import { Mover } from './mover.model'
import { CameraTree } from './tree.model'
import { readWall, type Wall } from './wall.model'

/** What the parts of the camera page share. */

const stored = 'commhub.wall'

/** The wall of last time; what is changed is kept at once. */
export function useWall(): [Wall, (change: (wall: Wall) => Wall) => void] {
  const [wall, setWall] = useState(() => readWall(localStorage.getItem(stored)))
  useEffect(() => localStorage.setItem(stored, JSON.stringify(wall)), [wall])
  const change = useCallback((next: (wall: Wall) => Wall) => setWall(next), [])
  return [wall, change]
}

export function useTree() {
  const [tree] = useState(() => new CameraTree(hub.cameras))
  const resyncs = useHub(state => state.resyncs)
  const first = useRef<number>(undefined)
  useEffect(() => tree.start(), [tree])
  useEffect(() => {
    if (first.current === undefined) first.current = resyncs
    else if (first.current !== resyncs) {
      first.current = resyncs
      tree.reload()
    }
  }, [tree, resyncs])
  return [tree, useSyncExternalStore(tree.subscribe, tree.snapshot)] as const
}

export interface Records {
  /** What the hub says of these cameras; undefined while it is being asked. */
  of(id: string): CameraDetail | undefined
  /** The hub knows no such camera, or not for this person. */
  missing(id: string): boolean
}

/** Asks for each camera that is on the wall; `known` is what the tree has of it meanwhile. */
export function useRecords(ids: readonly string[], tree: CameraTree): Records {
  const queries = useQueries({
    queries: ids.map(id => ({
      queryKey: ['camera', id],
      queryFn: () => hub.cameras.one(id),
      staleTime: 20_000,
      placeholderData: () => {
        const known = tree.known(id)
        return known && { ...known, viewers: [], lock: null }
      },
    })),
  })
  const byId = new Map(ids.map((id, i) => [id, queries[i]]))
  return {
    of: id => byId.get(id)?.data,
    missing: id => {
      const error = byId.get(id)?.error
      return error instanceof HubError && (error.status === 404 || error.status === 403)
    },
  }
}

/** Follows the events that change what is known of cameras: who holds the lock, alarms, states. */
export function useCameraEvents(tree: CameraTree): void {
  const queries = useQueryClient()
  useEffect(() => {
    const later = new Map<string, ReturnType<typeof setTimeout>>()
    // Fifty people open a camera at once: it is asked for once.
    const again = (key: readonly string[], ms: number) => {
      const name = key.join()
      if (later.has(name)) return
      const act = () => {
        later.delete(name)
        void queries.invalidateQueries({ queryKey: key })
      }
      later.set(name, setTimeout(act, ms))
    }
    const end = hub.onEvents(event => {
      const [topic] = event.type.split('.')
      if (topic === 'camera' && event.subject) again(['camera', event.subject], event.type === 'camera.lock' ? 50 : 400)
      if (event.type === 'camera.fault' && event.subject) {
        const { faulty } = (event.data as { camera: { faulty: boolean } }).camera
        tree.patch(event.subject, { faulty })
      }
      if (topic === 'alarm') {
        again(['alarms'], 100)
        const id = (event.data as { alarm?: { camera?: { id: string } | null } } | null)?.alarm?.camera?.id
        if (id && event.type === 'alarm.raised') tree.patch(id, { alarm: true })
      }
    })
    return () => {
      end()
      for (const timer of later.values()) clearTimeout(timer)
    }
  }, [queries, tree])
}

export interface Control {
  mover: Mover
  /** Why the camera that was to move did not; cleared by the next movement that works. */
  refused: Refused | undefined
  clear(): void
  /** Locks as the hub told them last, by camera. */
  lockOf(camera: CameraDetail): Lock | null
}

/** The hand of this page. It lets go of everything when the window is left. */
export function useControl(): Control {
  const me = useHub(state => state.session?.person.id)
  const [refused, setRefused] = useState<Refused>()
  const [locks, setLocks] = useState<ReadonlyMap<string, Lock | null>>(new Map())
  const mover = useMemo(
    () =>
      new Mover({
        say: word => hub.say(word),
        after: (ms, act) => {
          const timer = setTimeout(act, ms)
          return () => clearTimeout(timer)
        },
      }),
    [],
  )
  useEffect(() => {
    const stop = () => mover.stop()
    const hidden = () => document.hidden && mover.stop()
    window.addEventListener('blur', stop)
    window.addEventListener('pagehide', stop)
    document.addEventListener('visibilitychange', hidden)
    const endWords = hub.onWords(word => {
      if (word.type !== 'refused' || typeof word.camera !== 'string') return
      const said = word as unknown as Refused
      setRefused(said)
      if (said.lock !== undefined) setLocks(old => new Map(old).set(said.camera, said.lock))
      if (mover.moving === said.camera) mover.stop()
    })
    const endEvents = hub.onEvents(event => {
      if (event.type !== 'camera.lock' || !event.subject) return
      const { lock } = event.data as { lock: Lock | null }
      const camera = event.subject
      setLocks(old => new Map(old).set(camera, lock))
      if (lock?.holder.id === me) setRefused(old => (old?.camera === camera ? undefined : old))
    })
    return () => {
      window.removeEventListener('blur', stop)
      window.removeEventListener('pagehide', stop)
      document.removeEventListener('visibilitychange', hidden)
      endWords()
      endEvents()
      mover.stop()
    }
  }, [mover, me])
  const lockOf = (camera: CameraDetail) => {
    const lock = locks.has(camera.id) ? (locks.get(camera.id) ?? null) : camera.lock
    // An event is the same for everybody: whose it is has to be seen here.
    return lock && { ...lock, mine: lock.holder.id === me }
  }
  return { mover, refused, clear: () => setRefused(undefined), lockOf }
}
