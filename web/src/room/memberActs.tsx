import type { Track } from 'livekit-client'
import { DoorClosed, Mic, MicOff, Radio, Star, UserCheck, UserCog } from 'lucide-react'
import { hub } from '../app/hub'
import { may } from '../consultations/may.model'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import type { MenuItem } from '../ui/overlay'
import { lead } from './control'
import { controlOf, personOf, roleOf } from './control.model'
import type { Member } from './tiles.model'

type Run = (act: () => Promise<unknown>) => Promise<boolean>

/** What who chairs may do with somebody in the room, beside muting and removing. */
export function useLeadActs(member: Member<Track>, consultation: Consultation, run: Run): MenuItem[] {
  const t = useT()
  if (!may(consultation, 'lead')) return []
  const control = controlOf(consultation)
  const act = lead(consultation)
  const person = personOf(member.identity)
  const items: MenuItem[] = []
  const add = (key: string, label: string, icon: MenuItem['icon'], work: () => Promise<unknown>) =>
    items.push({ key, label, icon, onPick: () => void run(work), testid: `member-${key}` })
  const spot = control.spotlight === member.identity
  add('spotlight', t(spot ? 'control.spotlightEnd' : 'control.spotlight'), <Star size={16} />, () =>
    act.stage({ spotlight: spot ? '' : member.identity }),
  )
  if (member.kind === 'camera') return items
  const sole = control.broadcast === person
  if (sole || control.sides.length === 0)
    add('broadcast', t(sole ? 'control.broadcastEnd' : 'control.broadcastOne'), <Radio size={16} />, () =>
      act.broadcast(sole ? null : person),
    )
  if (member.local) return items
  const role = roleOf(control, person)
  if (control.muted && !role) {
    if (control.speakers.includes(person))
      add('disallow', t('control.disallowHim'), <MicOff size={16} />, async () => {
        await act.disallow(person)
        await hub.load(consultation.id)
      })
    else add('allow', t('control.allow'), <Mic size={16} />, () => act.allow(person))
  }
  if (control.lobby !== 'off' && !role)
    add('return', t('control.sendBack'), <DoorClosed size={16} />, () => act.sendBack(person))
  if (may(consultation, 'chair') && role !== 'chair') {
    add('chair', t('control.makeChair'), <UserCheck size={16} />, () => act.chair(person))
    add('co-chair', t(role ? 'control.endCoChair' : 'control.makeCoChair'), <UserCog size={16} />, () =>
      act.coChair(person, !role),
    )
  }
  return items
}
