import { AudioLines, Plus, Volume2, VolumeX, X } from 'lucide-react'
import { type KeyboardEvent, useMemo, useState } from 'react'
import { useStore } from 'zustand'
import { useCommand, useTick } from '../app/command'
import { useCan } from '../app/hub'
import { useT } from '../i18n'
import { Button, Empty, Skeleton } from '../ui/controls'
import { groups } from './desk'
import { GroupCard } from './GroupCard'
import { full, type Group, kinds, ordered, quick, quiet } from './groups.model'
import { NewDialog } from './NewDialog'
import { EmergencyButton, left, TalkButton, useSelected } from './Talk'

/** My groups by kind, what goes on in each, the one that is talked in, and the button. */
export function Panel({ held }: { held: boolean }) {
  const t = useT()
  const all = useStore(groups.store, state => state.groups)
  const loaded = useStore(groups.store, state => state.loaded)
  const mayMake = useCan('group.edit')
  const [making, setMaking] = useState(false)
  const [shown, setShown] = useState<string>()
  const selected = useSelected()
  const sorted = useMemo(() => ordered(all), [all])
  const keys = useMemo(() => new Map(quick(all).map((group, i) => [group.id, i + 1])), [all])
  const detail = sorted.find(one => one.id === shown)
  return (
    <aside className="groups" aria-label={t('group.title')} data-testid="group-panel">
      <header>
        <h2 className="grow">{t('group.title')}</h2>
        {mayMake && (
          <Button size="small" icon={<Plus size={15} />} onClick={() => setMaking(true)} data-testid="group-new">
            {t('group.new')}
          </Button>
        )}
        <Button
          look="ghost"
          size="small"
          square
          icon={<X size={18} />}
          aria-label={t('common.close')}
          onClick={() => groups.show(false)}
          data-testid="group-close"
        />
      </header>
      <div className="groups-list" role="radiogroup" aria-label={t('group.mine')} onKeyDown={arrows}>
        {!loaded && <Skeleton lines={4} />}
        {loaded && sorted.length === 0 && <Empty text={t('group.none')} />}
        {kinds.map(kind => {
          const some = sorted.filter(one => one.kind === kind)
          if (some.length === 0) return null
          return (
            <section key={kind}>
              <h3>{t(`group.kind.${kind}`)}</h3>
              {some.map(group => (
                <Row
                  key={group.id}
                  group={group}
                  digit={keys.get(group.id)}
                  selected={group.id === selected?.id}
                  open={group.id === shown}
                  onOpen={() => setShown(group.id === shown ? undefined : group.id)}
                />
              ))}
            </section>
          )
        })}
      </div>
      {detail && <GroupCard key={detail.id} group={detail} onClose={() => setShown(undefined)} />}
      <footer>
        <p className="cut" data-testid="group-selected">
          {selected ? t('group.talkIn', { name: selected.name }) : t('group.noneSelected')}
        </p>
        <TalkButton group={selected} />
        <EmergencyButton group={selected} keyHeld={held} />
      </footer>
      {making && <NewDialog onClose={() => setMaking(false)} />}
    </aside>
  )
}

function arrows(event: KeyboardEvent<HTMLElement>): void {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
  if (!step) return
  const all = [...event.currentTarget.querySelectorAll<HTMLElement>('[role="radio"]')]
  all[all.indexOf(document.activeElement as HTMLElement) + step]?.focus()
  event.preventDefault()
}

interface RowProps {
  group: Group
  digit: number | undefined
  selected: boolean
  open: boolean
  onOpen(): void
}

/** No button, so that Space on it is still the talk key. */
function Row({ group, digit, selected, open, onOpen }: RowProps) {
  const t = useT()
  const line = useStore(groups.store, state => state.lines[group.id])
  const [run, pending] = useCommand()
  const choose = () => {
    if (group.kind === 'patched') onOpen()
    else if (!selected) void run(() => groups.choose(group.id))
  }
  return (
    <div
      className={`group-row${selected ? ' selected' : ''}${open ? ' open' : ''}${group.emergency ? ' urgent' : ''}`}
      role="radio"
      aria-checked={selected}
      aria-busy={pending || undefined}
      tabIndex={0}
      onClick={choose}
      onKeyDown={event => {
        if (event.key === 'Enter') choose()
        if (event.key === 'ArrowRight') onOpen()
      }}
      data-testid="group-row"
      data-name={group.name}
      data-live={group.live}
    >
      <kbd className="kbd">{digit ?? '·'}</kbd>
      <div className="two grow">
        <strong className="cut">{group.name}</strong>
        <Going group={group} />
      </div>
      <Hearing group={group} selected={selected} in_={line === 'in'} />
      <Button
        look="ghost"
        size="small"
        tabIndex={-1}
        aria-label={t('group.details', { name: group.name })}
        aria-expanded={open}
        onClick={event => {
          event.stopPropagation()
          onOpen()
        }}
        data-testid="group-open"
      >
        …
      </Button>
    </div>
  )
}

/** Who talks, or that nobody does. */
function Going({ group }: { group: Group }) {
  const t = useT()
  const said = useStore(groups.store, state => state.floors[group.id])
  const floor = said ?? group.floor ?? quiet
  useTick(1000, floor.holder !== null)
  if (!group.live) return <small className="cut">{t('group.notCalled')}</small>
  if (!floor.holder) return <small className="cut">{t('group.idle')}</small>
  const seconds = left(floor.until ? Date.parse(floor.until) : undefined)
  const words = [
    t('group.talks', { name: floor.holder.name }),
    seconds !== undefined && t('group.left', { seconds }),
    floor.queue.length > 0 && t('group.waiting', { count: floor.queue.length }),
  ]
  return (
    <small className="cut is-on" data-testid="group-holder">
      <AudioLines size={13} /> {words.filter(Boolean).join(' · ')}
    </small>
  )
}

/** How loud it is heard here. */
function Hearing({ group, selected, in_ }: { group: Group; selected: boolean; in_: boolean }) {
  const t = useT()
  const volume = useStore(groups.store, state => state.volumes[group.id]) ?? full
  if (group.kind === 'patched') return null
  if (!group.affiliated) return <span className="chip outline">{t('group.notHeard')}</span>
  const Icon = volume.muted ? VolumeX : Volume2
  const name = volume.muted ? 'muted' : selected ? 'main' : 'beside'
  return (
    <Button
      size="small"
      className={`hearing${selected && !volume.muted ? ' is-main' : ''}`}
      icon={<Icon size={14} />}
      tabIndex={-1}
      aria-pressed={volume.muted}
      title={t(volume.muted ? 'group.unmute' : 'group.mute')}
      data-in={in_}
      onClick={event => {
        event.stopPropagation()
        groups.volume(group.id, { muted: !volume.muted })
      }}
      data-testid="group-mute"
    >
      {t(`group.hearing.${name}`)}
    </Button>
  )
}
