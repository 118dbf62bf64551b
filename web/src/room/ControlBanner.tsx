import type { Track } from 'livekit-client'
import { Clock4, MicOff, Radio, Split } from 'lucide-react'
import { type ReactNode, useEffect, useRef } from 'react'
import { useTick } from '../app/command'
import { hub, useHub } from '../app/hub'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { say } from '../ui/overlay'
import { controlOf, minutesLeft, personOf, sideOf, silenced } from './control.model'
import type { Member } from './tiles.model'

/** What the chair has decided that this person has to know: not heard, apart from the others, soon at the end. */
export function ControlBanner({ consultation, members }: { consultation: Consultation; members: Member<Track>[] }) {
  const t = useT()
  const me = useHub(state => state.session?.person.id) ?? ''
  const control = controlOf(consultation)
  useTick(10_000, control.ends_at !== null)
  useWord(consultation, me)
  const name = (person: string) => members.find(member => personOf(member.identity) === person)?.name ?? ''
  const why = silenced(control, me)
  const side = sideOf(control, me)
  const left = minutesLeft(control, hub.now())
  const parts: { key: string; icon: ReactNode; words: string }[] = []
  if (side)
    parts.push({
      key: 'side',
      icon: <Split size={16} />,
      words: t(side.listen ? 'control.inSideListening' : 'control.inSide', {
        title: side.title,
        names: side.people
          .filter(one => one !== me)
          .map(name)
          .join('、'),
      }),
    })
  if (control.broadcast)
    parts.push({
      key: 'broadcast',
      icon: <Radio size={16} />,
      words:
        control.broadcast === me
          ? t('control.youAreBroadcast')
          : t('control.broadcasting', { name: name(control.broadcast) }),
    })
  else if (why === 'muted') parts.push({ key: 'muted', icon: <MicOff size={16} />, words: t('control.youAreMuted') })
  if (left !== undefined && left <= 5)
    parts.push({
      key: 'end',
      icon: <Clock4 size={16} />,
      words: left > 0 ? t('control.endsIn', { minutes: left }) : t('control.over'),
    })
  if (!parts.length) return null
  return (
    <div className="control-banner" role="status" data-testid="control-banner">
      {parts.map(part => (
        <span key={part.key} data-part={part.key}>
          {part.icon} {part.words}
        </span>
      ))}
    </div>
  )
}

/** Whoever may speak from now on is told. */
function useWord(consultation: Consultation, me: string): void {
  const t = useT()
  const may = controlOf(consultation).speakers.includes(me)
  const before = useRef(may)
  useEffect(() => {
    if (may && !before.current) say(t('control.yourTurn'))
    before.current = may
  }, [may, t])
}
