import { Activity } from 'lucide-react'
import { useEffect, useState } from 'react'
import { hub, useCan } from '../app/hub'
import { useT } from '../i18n'
import { linkApi } from './api'
import './linktests.css'

/** On every page: the hub asks this terminal to measure its line. It says so while it does. */
export function LinkTester() {
  const t = useT()
  const able = useCan('link.answer')
  const [by, setBy] = useState<string>()
  useEffect(() => {
    if (!able) return undefined
    let busy = false
    return hub.terminal.on(
      'show',
      said => {
        const { test, tokens, seconds } = said.data as { test?: string; tokens?: string[]; seconds?: number }
        if (busy) throw new Error('busy')
        if (typeof test !== 'string' || !Array.isArray(tokens)) throw new Error('malformed')
        busy = true
        setBy(said.by?.name ?? '')
        // It takes longer than the hub waits for a word: it goes on after the acknowledgement.
        void import('./run')
          .then(({ runLinkTest }) => runLinkTest(tokens, typeof seconds === 'number' ? seconds : 6))
          .then(report => linkApi.result(test, report))
          .catch(() => undefined)
          .finally(() => {
            busy = false
            setBy(undefined)
          })
      },
      said => said.data.what === 'link_test',
    )
  }, [able])
  if (by === undefined) return null
  return (
    <div className="link-note" role="status" data-testid="link-note">
      <Activity size={16} /> {t('link_test.running', { name: by })}
    </div>
  )
}
