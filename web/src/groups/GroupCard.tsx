import { useQuery } from '@tanstack/react-query'
import { Hand, MicOff, PhoneCall, PhoneOff, X } from 'lucide-react'
import { useState } from 'react'
import { useStore } from 'zustand'
import { sentence, useCommand } from '../app/command'
import { useCan, useHub } from '../app/hub'
import { VerbMenu } from '../dispatch/VerbMenu'
import { useT } from '../i18n'
import { Button, Field, ProblemLine, Skeleton } from '../ui/controls'
import { Confirm, Dialog } from '../ui/overlay'
import { api } from './api'
import { groups } from './desk'
import { type Floor, forced, full, type Group, type Member, membersShown, quiet, spokesman } from './groups.model'

/** One group: listening and its loudness, the call, who waits, who is in it. */
export function GroupCard({ group, onClose }: { group: Group; onClose(): void }) {
  const t = useT()
  const volume = useStore(groups.store, state => state.volumes[group.id]) ?? full
  const floor = useStore(groups.store, state => state.floors[group.id]) ?? group.floor ?? quiet
  const whole = useQuery({
    queryKey: ['groups', 'one', group.id, group.rev, group.live, floor.holder?.id],
    queryFn: () => api.one(group.id),
    // Who comes is not told one by one.
    refetchInterval: group.live ? 3000 : false,
    placeholderData: before => before,
  })
  const patched = group.kind === 'patched'
  return (
    <section className="group-card" aria-label={group.name} data-testid="group-card">
      <header>
        <h3 className="cut grow">{group.name}</h3>
        <Button
          look="ghost"
          size="small"
          square
          icon={<X size={16} />}
          aria-label={t('common.close')}
          onClick={onClose}
        />
      </header>
      <Acts group={group} floor={floor} members={whole.data?.members ?? []} onGone={onClose} />
      {group.affiliated && (
        <label className="group-volume">
          <span>{t('group.volume')}</span>
          <input
            type="range"
            min={0}
            max={100}
            value={Math.round(volume.level * 100)}
            onChange={event => groups.volume(group.id, { level: Number(event.target.value) / 100 })}
            data-testid="group-volume"
          />
          <output>{Math.round(volume.level * 100)}</output>
        </label>
      )}
      {floor.queue.length > 0 && (
        <p data-testid="group-queue">
          <span className="note">{t('group.queue')}</span> {floor.queue.map(one => one.name).join('、')}
        </p>
      )}
      {whole.error && <ProblemLine text={sentence(whole.error)} />}
      {whole.isPending && <Skeleton lines={3} />}
      {whole.data &&
        (patched ? (
          <Joined group={whole.data} />
        ) : (
          <Members
            members={whole.data.members}
            group={group.live ? group.id : undefined}
            onForced={() => void whole.refetch()}
          />
        ))}
    </section>
  )
}

/** What can be done with the group and its floor; what takes something from somebody asks first. */
function Acts({ group, floor, members, onGone }: { group: Group; floor: Floor; members: Member[]; onGone(): void }) {
  const t = useT()
  const me = useHub(state => state.session?.person)
  const mayRevoke = useCan('group.revoke')
  const mayEdit = useCan('group.edit')
  const [asking, setAsking] = useState<'override' | 'revoke'>()
  const [removing, setRemoving] = useState(false)
  const [run, pending] = useCommand()
  const may = forced(floor, { id: me?.id ?? '', level: me?.level ?? 9 }, group.talks, mayRevoke)
  const patched = group.kind === 'patched'
  const about = group.live ? spokesman(members, floor, me?.id ?? '') : undefined
  return (
    <>
      <div className="book-buttons">
        {!patched && (
          <Button
            size="small"
            aria-pressed={group.affiliated}
            onClick={() => void run(() => groups.listen(group.id, !group.affiliated))}
            data-testid="group-listen"
          >
            {t(group.affiliated ? 'group.unlisten' : 'group.listen')}
          </Button>
        )}
        {group.live ? (
          <Button
            size="small"
            icon={<PhoneOff size={14} />}
            pending={pending && t('group.ending')}
            onClick={() => void run(() => groups.end(group.id))}
            data-testid="group-end"
          >
            {t('group.end')}
          </Button>
        ) : (
          <Button
            size="small"
            icon={<PhoneCall size={14} />}
            pending={pending && t('call.pending')}
            onClick={() => void run(() => groups.call(group.id, true))}
            data-testid="group-call"
          >
            {t('group.callAll')}
          </Button>
        )}
        {may.override && (
          <Button
            size="small"
            icon={<Hand size={14} />}
            onClick={() => setAsking('override')}
            data-testid="group-override"
          >
            {t('group.override')}
          </Button>
        )}
        {may.revoke && (
          <Button
            size="small"
            icon={<MicOff size={14} />}
            onClick={() => setAsking('revoke')}
            data-testid="group-revoke"
          >
            {t('group.revoke')}
          </Button>
        )}
        {about && <VerbMenu target={about} group={group.id} size="small" place="free" />}
        {mayEdit && (group.kind === 'temporary' || patched || group.kind === 'broadcast') && (
          <Button size="small" look="ghost" onClick={() => setRemoving(true)} data-testid="group-remove">
            {t(patched ? 'group.part' : 'group.remove')}
          </Button>
        )}
      </div>
      {asking && (
        <Reason group={group} action={asking} name={floor.holder?.name ?? ''} onClose={() => setAsking(undefined)} />
      )}
      {removing && (
        <Confirm
          title={t(patched ? 'group.partTitle' : 'group.removeTitle', { name: group.name })}
          body={t(patched ? 'group.partBody' : 'group.removeBody')}
          act={t(patched ? 'group.part' : 'group.remove')}
          pending={pending && t('directory.saving')}
          onConfirm={() =>
            void run(() => groups.remove(group.id)).then(done => {
              setRemoving(false)
              if (done) onGone()
            })
          }
          onClose={() => setRemoving(false)}
        />
      )}
    </>
  )
}

function Joined({ group }: { group: Group }) {
  const t = useT()
  return (
    <p>
      <span className="note">{t('group.joins')}</span> {group.groups.map(one => one.name).join('、')}
    </p>
  )
}

/** `group`: the one whose call they are in, while it goes on. */
function Members({ members, group, onForced }: { members: Member[]; group: string | undefined; onForced: () => void }) {
  const t = useT()
  const live = group !== undefined
  const here = members.filter(one => (live ? one.present : one.affiliated)).length
  return (
    <>
      <h4 className="note">{t(live ? 'group.present' : 'group.listening', { here, all: members.length })}</h4>
      <ul className="group-members">
        {membersShown(members).map(one => (
          <li key={one.id} data-testid="group-member" data-reach={one.reach}>
            <i className={`presence-dot ${one.present ? 'is-busy' : one.affiliated ? 'is-idle' : 'is-offline'}`} />
            <span className="two grow">
              <span className="cut">{one.name}</span>
              <small className="cut">{[one.org.short || one.org.name, one.post].filter(Boolean).join(' · ')}</small>
            </span>
            {!one.talks && <span className="chip outline">{t('group.listener')}</span>}
            <small>
              {live && one.reach
                ? t(`group.reach.${one.reach}`)
                : t(one.affiliated ? 'group.affiliated' : 'group.notAffiliated')}
            </small>
            {group && one.present && (
              <VerbMenu
                target={one}
                group={group}
                one
                square
                look="ghost"
                size="small"
                place="free"
                onDone={onForced}
              />
            )}
          </li>
        ))}
      </ul>
    </>
  )
}

/** Taking the floor from somebody says why: he is told, and it is written down. */
function Reason({
  group,
  action,
  name,
  onClose,
}: {
  group: Group
  action: 'override' | 'revoke'
  name: string
  onClose(): void
}) {
  const t = useT()
  const [reason, setReason] = useState('')
  const [run, pending] = useCommand()
  const act = async () => {
    if (await run(() => groups.force(group.id, action, reason.trim()))) onClose()
  }
  return (
    <Dialog
      title={t(`group.${action}Title`, { name })}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button
            look="inverse"
            pending={pending && t('directory.saving')}
            refused={!reason.trim() && t('directory.reasonMissing')}
            onClick={() => void act()}
            data-testid="confirm"
          >
            {t(`group.${action}`)}
          </Button>
        </>
      }
    >
      <Field
        label={t('directory.reason')}
        value={reason}
        maxLength={200}
        onChange={event => setReason(event.target.value)}
        data-focus
        data-testid="group-reason"
      />
    </Dialog>
  )
}
