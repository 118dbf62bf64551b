import { Mic, MicOff, Siren } from 'lucide-react'
import { type KeyboardEvent, type PointerEvent, useEffect } from 'react'
import { useStore } from 'zustand'
import { useTick } from '../app/command'
import { hub, useCan } from '../app/hub'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { groups, refusal } from './desk'
import { type Group, selectedOf, type Talk, talkOf } from './groups.model'
import { useHeld } from './useHeld'

export function useSelected(): Group | undefined {
  const all = useStore(groups.store, state => state.groups)
  const chosen = useStore(groups.store, state => state.chosen)
  return selectedOf(all, chosen)
}

export function useTalk(group: Group | undefined): Talk {
  const line = useStore(groups.store, state => (group ? state.lines[group.id] : undefined))
  const floor = useStore(groups.store, state => (group ? state.floors[group.id] : undefined))
  const pressed = useStore(groups.store, state => group !== undefined && state.pressed === group.id)
  return talkOf(group, line && { line, floor }, pressed)
}

/** Seconds until the time is up, by the hub's clock; undefined when there is no end. */
export function left(until: number | undefined): number | undefined {
  return until === undefined ? undefined : Math.max(0, Math.ceil((until - hub.now()) / 1000))
}

/** Held down to talk: by pointer, by touch, by Space on the page or on the button. */
export function TalkButton({ group }: { group: Group | undefined }) {
  const t = useT()
  const talk = useTalk(group)
  useTick(250, talk.at === 'mine' || talk.at === 'other')
  useEffect(() => {
    const up = () => groups.release()
    window.addEventListener('blur', up)
    return () => window.removeEventListener('blur', up)
  }, [])
  const down = (event: PointerEvent<HTMLButtonElement>) => {
    if (event.button !== 0) return
    event.currentTarget.setPointerCapture(event.pointerId)
    groups.press()
  }
  const key = (event: KeyboardEvent, isDown: boolean) => {
    if (event.code !== 'Space' && event.code !== 'Enter') return
    event.preventDefault()
    event.stopPropagation()
    if (!event.repeat) isDown ? groups.press() : groups.release()
  }
  const may = talk.at !== 'none' && talk.at !== 'listener'
  const seconds = talk.at === 'mine' ? left(talk.until) : undefined
  return (
    <button
      type="button"
      className={`talk is-${talk.at}`}
      data-testid="talk"
      data-talk={talk.at}
      aria-disabled={!may}
      aria-pressed={talk.at === 'mine'}
      onPointerDown={may ? down : undefined}
      onPointerUp={() => groups.release()}
      onPointerCancel={() => groups.release()}
      onContextMenu={event => event.preventDefault()}
      onKeyDown={event => may && key(event, true)}
      onKeyUp={event => may && key(event, false)}
    >
      {talk.at === 'asking' ? (
        <span className="spin" />
      ) : may && talk.at !== 'refused' ? (
        <Mic size={24} />
      ) : (
        <MicOff size={24} />
      )}
      <span className="two">
        <strong role="status">{words(t, talk)}</strong>
        <small>{detail(t, talk)}</small>
      </span>
      {seconds !== undefined && <time className="talk-left">{seconds}</time>}
    </button>
  )
}

function words(t: ReturnType<typeof useT>, talk: Talk): string {
  if (talk.at === 'mine' && talk.ending) return t('group.talk.ending')
  if (talk.at === 'queued') return t('group.queued', { place: talk.place })
  if (talk.at === 'other') return t('group.talk.other')
  return t(`group.talk.${talk.at}`)
}

function detail(t: ReturnType<typeof useT>, talk: Talk): string {
  if (talk.at === 'refused') return t(`group.refusal.${refusal(talk.reason)}`)
  if (talk.at === 'queued') return talk.holder ? t('group.talks', { name: talk.holder.name }) : ''
  if (talk.at === 'mine') return t('group.talk.letGo')
  if (talk.at === 'none' || talk.at === 'listener') return ''
  return t('group.talk.how')
}

/** Raised only after a second: the ring fills meanwhile. */
export function EmergencyButton({ group, keyHeld }: { group: Group | undefined; keyHeld: boolean }) {
  const t = useT()
  const may = useCan('group.emergency')
  const { held, turn } = useHeld(1000, () => void groups.emergencyHere())
  if (!may) return null
  const on = held || keyHeld
  return (
    <Button
      className={`sos${on ? ' is-held' : ''}`}
      icon={<Siren size={18} />}
      hint="groupEmergency"
      refused={!group && t('group.noneSelected')}
      onPointerDown={event => {
        if (!group || event.button !== 0) return
        event.currentTarget.setPointerCapture(event.pointerId)
        turn(true)
      }}
      onPointerUp={() => turn(false)}
      onPointerCancel={() => turn(false)}
      onKeyDown={event => {
        if ((event.code !== 'Space' && event.code !== 'Enter') || event.repeat || !group) return
        event.preventDefault()
        event.stopPropagation()
        turn(true)
      }}
      onKeyUp={() => turn(false)}
      onBlur={() => turn(false)}
      data-testid="group-emergency"
    >
      {t(on ? 'group.keepHolding' : 'group.emergency')}
    </Button>
  )
}
