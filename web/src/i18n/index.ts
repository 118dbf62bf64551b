import i18next from 'i18next'
import { useSyncExternalStore } from 'react'
import { en } from './en'
import { type Words, zh } from './zh'

export type Language = 'zh' | 'en'

type Leaves<T, Prefix extends string = ''> = {
  [K in keyof T & string]: T[K] extends string ? `${Prefix}${K}` : Leaves<T[K], `${Prefix}${K}.`>
}[keyof T & string]

export type Key = Leaves<Words>
export type Translate = (key: Key, values?: Record<string, string | number>) => string

const stored = 'commhub.language'

const words = i18next.createInstance()
void words.init({
  lng: localStorage.getItem(stored) === 'en' ? 'en' : 'zh',
  fallbackLng: false,
  resources: { zh: { translation: zh }, en: { translation: en } },
  // React escapes.
  interpolation: { escapeValue: false },
  initAsync: false,
})

export const t: Translate = (key, values) => words.t(key, values ?? {})

export function language(): Language {
  return words.language === 'en' ? 'en' : 'zh'
}

export function languageTag(): string {
  return language() === 'en' ? 'en' : 'zh-CN'
}

const listeners = new Set<() => void>()

export function setLanguage(next: Language): void {
  localStorage.setItem(stored, next)
  void words.changeLanguage(next).then(() => {
    document.documentElement.lang = languageTag()
    for (const listener of listeners) listener()
  })
}

document.documentElement.lang = languageTag()

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** The words in the language of the moment; the component follows a change of it. */
export function useT(): Translate {
  useSyncExternalStore(subscribe, language)
  return t
}
