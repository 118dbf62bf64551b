import { useEffect } from 'react'
import { useStore } from 'zustand'
import { Hub } from '../hub/hub'
import type { Platform } from '../hub/platform'
import type { HubState } from '../hub/state'
import type { AutoAnswer, PresenceState } from '../hub/terminal'
import { isUlid, ulid } from '../hub/ulid'
import { languageTag } from '../i18n'

const browser: Platform = {
  fetch: (url, request) => fetch(url, { ...request, credentials: 'same-origin' }),
  openSocket(path, on) {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${path}`)
    socket.onopen = () => on.opened()
    socket.onmessage = event => {
      if (typeof event.data === 'string') on.message(event.data)
    }
    socket.onclose = () => on.closed()
    return {
      send: text => {
        if (socket.readyState === WebSocket.OPEN) socket.send(text)
      },
      close: () => socket.close(),
    }
  },
  now: () => Date.now(),
  after(ms, act) {
    const timer = setTimeout(act, ms)
    return () => clearTimeout(timer)
  },
  randomBytes: count => crypto.getRandomValues(new Uint8Array(count)),
  language: languageTag,
}

export const hub = new Hub(browser)

// A socket may not notice for minutes what the browser knows at once.
window.addEventListener('offline', () => hub.interrupted())
window.addEventListener('online', () => hub.retryNow())

export function useHub<T>(select: (state: HubState) => T): T {
  return useStore(hub.store, select)
}

/** Whether this person holds a permission anywhere; what may be done to one thing that thing says itself. */
export function useCan(permission: string): boolean {
  return useHub(state => state.session?.permissions.includes(permission) ?? false)
}

const stored = 'commhub.terminal'

/** This browser's terminal id; made once. */
export function terminalId(): string {
  const known = localStorage.getItem(stored)
  if (known && isUlid(known)) return known
  const made = newId()
  localStorage.setItem(stored, made)
  return made
}

export function newId(): string {
  return ulid(Date.now(), browser.randomBytes(10))
}

const wishes = 'commhub.terminal.wishes'

export interface Wishes {
  autoAnswer: AutoAnswer
  dnd: boolean
}

/** What the person wants of this terminal; kept in this browser. */
export function terminalWishes(): Wishes {
  try {
    const kept = JSON.parse(localStorage.getItem(wishes) ?? '{}') as Partial<Wishes>
    const auto = kept.autoAnswer
    return { autoAnswer: auto === 'seat' || auto === 'always' ? auto : 'never', dnd: kept.dnd === true }
  } catch {
    return { autoAnswer: 'never', dnd: false }
  }
}

export function setTerminalWishes(change: Partial<Wishes>): void {
  localStorage.setItem(wishes, JSON.stringify({ ...terminalWishes(), ...change }))
  register()
}

function register(): void {
  const { session } = hub.store.getState()
  if (!session) return
  const kind = session.permissions.includes('consultation.create') ? 'console' : 'page'
  hub.terminal.configure({ id: terminalId(), kind, name: '', ...terminalWishes() })
}

hub.store.subscribe((now, before) => {
  if (now.session !== before.session) register()
})
// Of several pages of this browser one takes instructions: the first, then the next when it is closed.
if (navigator.locks) {
  void navigator.locks.request('commhub.terminal', () => {
    hub.terminal.lead()
    return new Promise(() => undefined)
  })
} else {
  hub.terminal.lead()
}
window.addEventListener('focus', () => hub.terminal.used())

/** Keeps the presence of these people up to date while the component is shown. Undefined: nothing is known of them yet. */
export function usePresence(people: string[]): Record<string, PresenceState> {
  const key = people.join()
  useEffect(() => {
    if (key === '') return undefined
    return hub.terminal.watch({ orgs: [], people: key.split(',') })
  }, [key])
  return useHub(state => state.presence)
}
