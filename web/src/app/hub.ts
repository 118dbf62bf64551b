import { useStore } from 'zustand'
import { Hub } from '../hub/hub'
import type { Platform } from '../hub/platform'
import type { HubState } from '../hub/state'
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
