import { Radio } from 'lucide-react'
import { useStore } from 'zustand'
import { useCan } from '../app/hub'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { groups } from './desk'

/** Opens and closes the panel; says how many groups are heard. */
export function GroupButton() {
  const t = useT()
  const may = useCan('group.list')
  const open = useStore(groups.store, state => state.open)
  const count = useStore(groups.store, state => Object.keys(state.lines).length)
  if (!may) return null
  return (
    <Button
      className="group-button"
      icon={<Radio size={16} />}
      aria-pressed={open}
      aria-label={t('group.title')}
      onClick={() => groups.show(!open)}
      data-testid="group-toggle"
    >
      <span className="wide-only">{t('group.title')}</span>
      {count > 0 && <span className="chip accent">{count}</span>}
    </Button>
  )
}
