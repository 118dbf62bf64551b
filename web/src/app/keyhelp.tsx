import { useState, useSyncExternalStore } from 'react'
import { KeyHelp, useKeys } from '../ui/keys'

let shown = false
const listeners = new Set<() => void>()

function show(next: boolean): void {
  shown = next
  for (const listener of listeners) listener()
}

export function openKeyHelp(): void {
  show(true)
}

/** The table of keys, opened by `?` on every page. */
export function KeyHelpHost() {
  const [subscribe] = useState(() => (listener: () => void) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  })
  const open = useSyncExternalStore(subscribe, () => shown)
  useKeys('everywhere', { help: () => show(true) })
  return open ? <KeyHelp onClose={() => show(false)} /> : null
}
