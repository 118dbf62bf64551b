import { useState } from 'react'
import { useCommand } from '../app/command'
import { type Entry, targetsOf } from '../directory/directory.model'
import { Picker } from '../directory/Picker'
import { useT } from '../i18n'
import { ActDialog } from '../ui/overlay'
import type { Target } from './desk'
import '../directory/entries.css'

interface Props {
  title: string
  act: string
  pending: string
  /** Only one can be chosen: the last one that was. */
  one?: boolean
  without?: ReadonlySet<string>
  /** With keys for a number. */
  pad?: boolean
  onAct(to: Target[]): Promise<unknown>
  onClose(): void
}

/** Whom to call, from the address book: people, seats, organisations, numbers. */
export function CallDialog({ title, act, pending, one, without, pad, onAct, onClose }: Props) {
  const t = useT()
  const [chosen, setChosen] = useState<Entry[]>([])
  const [run, running] = useCommand()
  const to = targetsOf(chosen)
  const submit = async () => {
    if (await run(() => onAct(to))) onClose()
  }
  return (
    <ActDialog
      title={title}
      onClose={onClose}
      act={to.length > 1 && !one ? t('call.actMany', { count: to.length }) : act}
      pending={running && pending}
      refused={to.length === 0 && t(one ? 'call.transferOne' : 'call.nobody')}
      onAct={() => void submit()}
      data-act="call-submit"
    >
      <Picker chosen={chosen} onChange={setChosen} one={one} without={without} pad={pad} />
    </ActDialog>
  )
}
