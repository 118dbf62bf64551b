import { useCallback, useEffect, useRef, useState } from 'react'
import { HubError } from '../hub/http'
import type { Reason } from '../hub/types'
import { language, t } from '../i18n'
import { say } from '../ui/overlay'

/** What people read when something did not work: the hub's own sentence where it has one. */
export function sentence(error: unknown): string {
  if (!(error instanceof HubError)) return error instanceof Error && error.message ? error.message : t('error.unknown')
  if (error.code === 'offline') return t('error.offline')
  if (error.code === 'stale') return t('error.stale')
  return error.message || t('error.unknown')
}

/** A reason in the language of the page. */
export function reasonText(reason: Omit<Reason, 'code'> | null | undefined): string | null {
  return (language() === 'en' ? reason?.text_en : undefined) ?? reason?.text ?? null
}

/** Runs one command at a time; a failure is said in a sentence. The result tells whether it worked. */
export function useCommand(): [run: (act: () => Promise<unknown>) => Promise<boolean>, pending: boolean] {
  const [pending, setPending] = useState(false)
  const here = useRef(true)
  useEffect(() => {
    here.current = true
    return () => {
      here.current = false
    }
  }, [])
  const run = useCallback(async (act: () => Promise<unknown>) => {
    setPending(true)
    try {
      await act()
      return true
    } catch (error) {
      say(sentence(error), true)
      return false
    } finally {
      if (here.current) setPending(false)
    }
  }, [])
  return [run, pending]
}

/** Grows every `ms`, so that what shows the time is drawn again. */
export function useTick(ms: number, on = true): void {
  const [, setCount] = useState(0)
  useEffect(() => {
    if (!on) return
    const timer = setInterval(() => setCount(count => count + 1), ms)
    return () => clearInterval(timer)
  }, [ms, on])
}

/** `value`, but only after it has stayed the same for `ms`: for searching while somebody types. */
export function useSettled<T>(value: T, ms = 200): T {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms)
    return () => clearTimeout(timer)
  }, [value, ms])
  return settled
}
