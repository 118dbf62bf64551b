import { useEffect } from 'react'
import { useStore } from 'zustand'
import { useCan } from '../app/hub'
import { usePath } from '../app/router'
import { useKeys } from '../ui/keys'
import { groups } from './desk'
import { EmergencyCards } from './Emergencies'
import { quick } from './groups.model'
import { Panel } from './Panel'
import { TalkBar } from './TalkBar'
import { useHeld } from './useHeld'
import '../directory/entries.css'
import './groups.css'

/** Groups beside every page: the panel when it is open, else a bar while one is in a call. */
export function Groups() {
  const may = useCan('group.list')
  return may ? <Dock /> : null
}

function Dock() {
  useEffect(() => groups.start(), [])
  const open = useStore(groups.store, state => state.open)
  const path = usePath()
  // Rooms and the player have a use for Space and for digits themselves.
  const free = !path.startsWith('/room/') && !path.startsWith('/review')
  const talk = (down: boolean) => (down ? groups.press() : groups.release())
  const emergency = useHeld(1000, () => void groups.emergencyHere())
  const choose = (n: number) => () => {
    const group = quick(groups.store.getState().groups)[n - 1]
    if (group) void groups.choose(group.id).catch(() => undefined)
  }
  const digits = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map(n => [`group${n}`, choose(n)]))
  useKeys('groups', {
    groupPanel: () => groups.show(!groups.store.getState().open),
    groupTalkAny: talk,
    groupEmergency: emergency.turn,
  })
  useKeys('floor', { groupTalk: talk, ...digits }, free)
  return open ? <Panel held={emergency.held} /> : null
}

/** Below every page, beside the bar of calls. */
export function GroupBar() {
  const may = useCan('group.list')
  return may ? (
    <>
      <TalkBar />
      <EmergencyCards />
    </>
  ) : null
}
