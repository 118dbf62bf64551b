import { Search } from 'lucide-react'
import { lazy, Suspense } from 'react'
import { useStore } from 'zustand'
import { createStore } from 'zustand/vanilla'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { useKeys } from '../ui/keys'

const QuickDialog = lazy(() => import('./QuickDialog'))
const shown = createStore<{ open: boolean }>(() => ({ open: false }))
const show = (open: boolean) => shown.setState({ open })

/** On every page: Ctrl K finds somebody, a group, a camera, a consultation. */
export function Quick() {
  const open = useStore(shown, state => state.open)
  useKeys('everywhere', { quickSearch: () => show(true) })
  if (!open) return null
  return (
    <Suspense fallback={null}>
      <QuickDialog onClose={() => show(false)} />
    </Suspense>
  )
}

export function QuickButton() {
  const t = useT()
  return (
    <Button
      look="ghost"
      square
      icon={<Search size={16} />}
      aria-label={t('quick.title')}
      title={`${t('quick.title')} Ctrl K`}
      onClick={() => show(true)}
      data-testid="quick-open"
    />
  )
}
