import { type AnchorHTMLAttributes, type MouseEvent, useSyncExternalStore } from 'react'

/** Addresses are few: a path, no nesting. */
const listeners = new Set<() => void>()

function changed(): void {
  for (const listener of listeners) listener()
}

window.addEventListener('popstate', changed)

export function navigate(path: string, replace = false): void {
  if (path === location.pathname + location.search) return
  if (replace) history.replaceState(null, '', path)
  else history.pushState(null, '', path)
  changed()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function usePath(): string {
  return useSyncExternalStore(subscribe, () => location.pathname)
}

/** What stands behind the path: `?open=…`. */
export function useAddress(): string {
  return useSyncExternalStore(subscribe, () => location.search)
}

/** A link within the page; with a modifier key or the middle button the browser does its usual. */
export function Link({ href, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  const press = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    navigate(href)
  }
  return <a href={href} {...rest} onClick={press} />
}
