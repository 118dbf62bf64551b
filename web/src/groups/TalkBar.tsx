import { AudioLines, PanelRightOpen, Radio } from 'lucide-react'
import { useStore } from 'zustand'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { groups } from './desk'
import { EmergencyButton, TalkButton, useSelected, useTalk } from './Talk'

/** While a group is called and the panel is closed: which one, who talks, and the button. */
export function TalkBar() {
  const t = useT()
  const open = useStore(groups.store, state => state.open)
  const count = useStore(groups.store, state => Object.keys(state.lines).length)
  const group = useSelected()
  const talk = useTalk(group)
  const floor = useStore(groups.store, state => (group ? state.floors[group.id] : undefined))
  if (open || count === 0) return null
  const holder = floor?.holder
  return (
    <section className="talk-bar" aria-label={t('group.title')} data-testid="talk-bar">
      <Radio size={22} aria-hidden />
      <div className="two">
        <strong className="cut">{group?.name ?? t('group.noneSelected')}</strong>
        <small>{t('group.inCalls', { count })}</small>
      </div>
      {holder && talk.at !== 'mine' && (
        <div className="two talk-who">
          <strong className="cut">
            <AudioLines size={16} /> {holder.name}
          </strong>
          <small>{t('directory.level', { level: holder.level })}</small>
        </div>
      )}
      <span className="grow" />
      <TalkButton group={group} />
      <EmergencyButton group={group} keyHeld={false} />
      <Button
        look="ghost"
        square
        icon={<PanelRightOpen size={18} />}
        aria-label={t('group.open')}
        onClick={() => groups.show(true)}
        data-testid="talk-bar-open"
      />
    </section>
  )
}
