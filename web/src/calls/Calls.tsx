import { Phone } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useCan } from '../app/hub'
import { Dispatch } from '../dispatch/Dispatch'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { CallBar } from './CallBar'
import { CallCard } from './CallCard'
import { CallDialog } from './CallDialog'
import { desk } from './desk'
import './calls.css'

/** Calls on every page: who calls, and the bar of those one is in. */
export function Calls() {
  const may = useCan('call.answer')
  useEffect(() => (may ? desk.start() : undefined), [may])
  if (!may) return null
  return (
    <>
      <Dispatch />
      <CallBar />
      <CallCard />
    </>
  )
}

/** Opens the directory to call somebody. */
export function CallButton() {
  const t = useT()
  const may = useCan('call.make')
  const [open, setOpen] = useState(false)
  if (!may) return null
  return (
    <>
      <Button
        icon={<Phone size={16} />}
        aria-label={t('call.open')}
        onClick={() => setOpen(true)}
        data-testid="call-open"
      >
        <span className="wide-only">{t('call.open')}</span>
      </Button>
      {open && (
        <CallDialog
          title={t('call.title')}
          act={t('call.act')}
          pending={t('call.pending')}
          onAct={to => desk.call(to)}
          onClose={() => setOpen(false)}
        />
      )}
    </>
  )
}
