import { useEffect, useState, useSyncExternalStore } from 'react'
import { hub } from '../app/hub'
import { type View, ViewConnection } from './connection'

/** The page's one connection for cameras: made by the first part that needs it, closed some time after the last. */
let current: ViewConnection | undefined
let users = 0
let closing: ReturnType<typeof setTimeout> | undefined

/** ms: going from the wall to a consultation and back does not open everything anew. */
const lingering = 20_000

function borrow(): ViewConnection {
  clearTimeout(closing)
  users += 1
  current ??= new ViewConnection(hub)
  return current
}

function giveBack(): void {
  users -= 1
  if (users > 0) return
  closing = setTimeout(closeNow, lingering)
}

function closeNow(): void {
  current?.close()
  current = undefined
}

window.addEventListener('pagehide', closeNow)

hub.store.subscribe(state => {
  if (!state.session && current) {
    clearTimeout(closing)
    closeNow()
  }
})

const none: View | undefined = undefined

/** The connection while the component is there, and what it shows. */
export function useView(): [ViewConnection | undefined, View | undefined] {
  const [connection, setConnection] = useState<ViewConnection>()
  useEffect(() => {
    setConnection(borrow())
    return giveBack
  }, [])
  const view = useSyncExternalStore(connection?.subscribe ?? nobody, connection?.snapshot ?? (() => none))
  return [connection, view]
}

const nobody = () => () => undefined

/** Keeps these cameras open for one part of the page, and lets them go with it. */
export function useWanted(connection: ViewConnection | undefined, part: string, cameras: readonly string[]): void {
  const key = cameras.join()
  useEffect(() => {
    connection?.want(part, key ? key.split(',') : [])
  }, [connection, part, key])
  useEffect(() => () => connection?.want(part, []), [connection, part])
}
