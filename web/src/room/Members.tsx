import type { Track } from 'livekit-client'
import { Cctv, Hand, Mic, MicOff, MoreHorizontal, ScreenShareOff, UserMinus, UserPlus, VideoOff } from 'lucide-react'
import { useState } from 'react'
import { useCommand } from '../app/command'
import { hub, useHub } from '../app/hub'
import { may } from '../consultations/may.model'
import { VerbMenu } from '../dispatch/VerbMenu'
import type { MuteSource } from '../hub/api'
import type { Consultation } from '../hub/types'
import { type Key, useT } from '../i18n'
import { Avatar, Bars, Button, SearchField } from '../ui/controls'
import { Confirm, MenuButton, type MenuItem, say } from '../ui/overlay'
import { controlOf, handPlace, personOf, type Role, roleOf } from './control.model'
import { useLeadActs } from './memberActs'
import { SpeakingBars } from './TileView'
import { type Member, sourceQuality } from './tiles.model'

interface Props {
  consultation: Consultation
  members: Member<Track>[]
  onInvite(): void
}

export function Members({ consultation, members, onInvite }: Props) {
  const t = useT()
  const [q, setQ] = useState('')
  const [removing, setRemoving] = useState<Member<Track>>()
  const wanted = q.trim().toLowerCase()
  const control = controlOf(consultation)
  const roleFor = (member: Member<Track>) => roleOf(control, personOf(member.identity))
  const ranks = { chair: 0, acting: 1, co_chair: 1, '': 2 }
  const rank = (member: Member<Track>) => (member.kind === 'camera' ? 3 : ranks[roleFor(member)])
  const shown = members
    .filter(member => `${member.name} ${member.org}`.toLowerCase().includes(wanted))
    .sort((a, b) => rank(a) - rank(b) || a.joinedAt - b.joinedAt)
  return (
    <div className="panel-body" data-testid="panel-members">
      <div className="panel-search">
        <SearchField label={t('members.searchHint')} value={q} onChange={setQ} />
        {may(consultation, 'invite') && (
          <Button icon={<UserPlus size={16} />} onClick={onInvite} data-testid="invite">
            {t('members.invite')}
          </Button>
        )}
      </div>
      <div className="panel-caption">
        <span>{t('members.inCall', { count: members.length })}</span>
        <span>{t('members.micNetwork')}</span>
      </div>
      <ul className="members">
        {shown.map(member => (
          <Row
            key={member.identity}
            member={member}
            role={roleFor(member)}
            consultation={consultation}
            onRemove={() => setRemoving(member)}
          />
        ))}
      </ul>
      {removing && (
        <RemoveDialog consultation={consultation} member={removing} onClose={() => setRemoving(undefined)} />
      )}
    </div>
  )
}

interface RowProps {
  member: Member<Track>
  role: Role
  consultation: Consultation
  onRemove(): void
}

function Row({ member, role, consultation, onRemove }: RowProps) {
  const t = useT()
  const items = useActions(member, consultation, onRemove)
  const camera = member.kind === 'camera'
  const own = consultation.cameras.find(one => one.identity === member.identity)
  const news = useHub(state => (own ? state.cameras[own.id]?.state : undefined))
  const source = news ?? own?.state
  return (
    <li data-testid="member" data-identity={member.identity}>
      {camera ? (
        <span className="avatar">
          <Cctv size={15} />
        </span>
      ) : (
        <Avatar name={member.name} />
      )}
      <span className="member-name">
        <span>
          <strong className="cut">
            {member.name}
            {member.local && t('common.me')}
          </strong>
          {role && <span className="chip">{t(`control.role.${role}`)}</span>}
          {handPlace(controlOf(consultation), personOf(member.identity)) > 0 && (
            <Hand size={14} aria-label={t('control.handUp')} />
          )}
          {member.speakingSince !== undefined && <span className="chip">{t('members.speaking')}</span>}
        </span>
        <small className="cut">
          {member.org}
          {camera && ` · ${t('members.camera')}`}
        </small>
      </span>
      {!camera && !member.local && (
        <VerbMenu
          target={{ id: personOf(member.identity), name: member.name }}
          consultation={consultation.id}
          look="ghost"
          size="small"
          square
        />
      )}
      {items.length > 0 && (
        <MenuButton
          look="ghost"
          size="small"
          square
          icon={<MoreHorizontal size={16} />}
          aria-label={t('members.actions', { name: member.name })}
          place="below-end"
          items={items}
          data-testid="member-menu"
        />
      )}
      {!camera && <MicState member={member} />}
      <Bars quality={camera ? sourceQuality(source) : member.quality} camera={camera} />
    </li>
  )
}

function MicState({ member }: { member: Member<Track> }) {
  const t = useT()
  if (member.speakingSince !== undefined) return <SpeakingBars />
  if (member.mic === 'on') return <Mic size={16} aria-label={t('tile.micOn')} />
  return <MicOff size={16} aria-label={t('tile.muted')} />
}

/** What this person may do to that one; nothing that would change nothing. */
function useActions(member: Member<Track>, consultation: Consultation, onRemove: () => void): MenuItem[] {
  const t = useT()
  const [run] = useCommand()
  const { id } = consultation
  const leading = useLeadActs(member, consultation, run)
  if (member.local) return leading
  if (member.kind === 'camera') {
    const camera = consultation.cameras.find(c => c.identity === member.identity)
    if (!camera || !may(consultation, 'camera')) return leading
    const onPick = () => void run(() => hub.api.removeCamera(id, camera.id))
    return [
      ...leading,
      { key: 'out', label: t('members.removeCamera'), icon: <UserMinus size={16} />, onPick, testid: 'camera-remove' },
    ]
  }
  const mute = (source: MuteSource, done: Key) => () =>
    void run(async () => {
      await hub.api.mute(id, member.identity, source)
      say(t(done, { name: member.name }))
    })
  const items: MenuItem[] = [...leading]
  if (may(consultation, 'mute')) {
    if (member.mic === 'on')
      items.push({
        key: 'mic',
        label: t('members.mute'),
        icon: <MicOff size={16} />,
        onPick: mute('microphone', 'members.muteDone'),
        testid: 'member-mute',
      })
    if (member.camera && !member.camera.muted)
      items.push({
        key: 'camera',
        label: t('members.muteCamera'),
        icon: <VideoOff size={16} />,
        onPick: mute('camera', 'members.muteCameraDone'),
      })
    if (member.screen)
      items.push({
        key: 'screen',
        label: t('members.muteScreen'),
        icon: <ScreenShareOff size={16} />,
        onPick: mute('screen_share', 'members.muteScreenDone'),
      })
  }
  if (may(consultation, 'remove'))
    items.push({
      key: 'remove',
      label: t('members.remove'),
      icon: <UserMinus size={16} />,
      onPick: onRemove,
      testid: 'member-remove',
    })
  return items
}

function RemoveDialog({
  consultation,
  member,
  onClose,
}: {
  consultation: Consultation
  member: Member<Track>
  onClose(): void
}) {
  const t = useT()
  const [run, pending] = useCommand()
  const remove = async () => {
    const done = await run(() => hub.api.remove(consultation.id, member.identity))
    if (done) say(t('members.removeDone', { name: member.name }))
    onClose()
  }
  return (
    <Confirm
      title={t('members.removeTitle', { name: member.name })}
      body={t('members.removeBody', { name: member.name, org: member.org })}
      act={t('members.removeAct', { name: member.name })}
      pending={pending && t('members.removeAct', { name: member.name })}
      onConfirm={() => void remove()}
      onClose={onClose}
    />
  )
}
