import { useSyncExternalStore } from 'react'

export type Theme = 'dark' | 'light'

const stored = 'commhub.theme'
const listeners = new Set<() => void>()

function current(): Theme {
  return document.documentElement.dataset.theme === 'light' ? 'light' : 'dark'
}

document.documentElement.dataset.theme = localStorage.getItem(stored) === 'light' ? 'light' : 'dark'

export function setTheme(theme: Theme): void {
  localStorage.setItem(stored, theme)
  document.documentElement.dataset.theme = theme
  for (const listener of listeners) listener()
}

export function useTheme(): Theme {
  return useSyncExternalStore(listener => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }, current)
}
