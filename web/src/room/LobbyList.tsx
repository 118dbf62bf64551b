import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Check, X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useCommand } from '../app/command'
import { hub } from '../app/hub'
import type { Consultation, Waiting } from '../hub/types'
import { useT } from '../i18n'
import { Avatar, Button, Field } from '../ui/controls'
import { useKeys } from '../ui/keys'
import { ActDialog, MenuButton } from '../ui/overlay'
import { clockTime } from '../ui/time.model'
import { lead } from './control'
import { groupsOf } from './control.model'

/** Who waits in the lobby of a consultation; kept up to date by events. */
export function useWaiting(consultation: Consultation, active: boolean): Waiting[] {
  const client = useQueryClient()
  const key = ['lobby', consultation.id]
  useEffect(
    () =>
      hub.onEvents(event => {
        if (event.subject === consultation.id && /^consultation\.(waiting|lobby)$/.test(event.type))
          void client.invalidateQueries({ queryKey: ['lobby', consultation.id] })
      }),
    [client, consultation.id],
  )
  const found = useQuery({ queryKey: key, queryFn: () => lead(consultation).waiting(), enabled: active })
  return active ? (found.data?.items ?? []) : []
}

/** Who waits: name, post, organisation; let in, all or one, by post or organisation; or refused with a reason. */
export function LobbyList({ consultation }: { consultation: Consultation }) {
  const t = useT()
  const [run, pending] = useCommand()
  const [refusing, setRefusing] = useState<Waiting>()
  const client = useQueryClient()
  const waiting = useWaiting(consultation, true)
  const again = (work: () => Promise<unknown>) =>
    run(async () => {
      await work()
      await client.invalidateQueries({ queryKey: ['lobby', consultation.id] })
    })
  const all = () => {
    if (waiting.length && !pending) void again(() => lead(consultation).admit({ everybody: true }))
  }
  useKeys('room', { admitAll: all })
  if (!waiting.length) return <p className="note">{t('control.nobodyWaits')}</p>
  const { posts, organisations } = groupsOf(waiting)
  return (
    <>
      <div className="control-row">
        <strong className="grow" data-testid="waiting-count">
          {t('control.waitingCount', { count: waiting.length })}
        </strong>
        {posts.length > 0 && (
          <MenuButton
            size="small"
            place="below-end"
            items={posts.map(post => ({
              key: post,
              label: post,
              onPick: () => void again(() => lead(consultation).admit({ posts: [post] })),
            }))}
          >
            {t('control.admitPost')}
          </MenuButton>
        )}
        {organisations.length > 0 && (
          <MenuButton
            size="small"
            place="below-end"
            data-testid="admit-organisation"
            items={organisations.map(({ id, name }) => ({
              key: id,
              label: name,
              onPick: () => void again(() => lead(consultation).admit({ organisations: [id] })),
            }))}
          >
            {t('control.admitOrganisation')}
          </MenuButton>
        )}
        <Button size="small" look="primary" hint="admitAll" onClick={all} data-testid="admit-all">
          {t('control.admitAll')}
        </Button>
      </div>
      <ul className="control-list" data-testid="waiting">
        {waiting.map(one => (
          <li key={one.person} data-testid="waiting-row" data-person={one.person}>
            <Avatar name={one.name} />
            <span className="member-name">
              <strong className="cut">{one.name}</strong>
              <small className="cut">
                {[one.post, one.org_name].filter(Boolean).join(' · ')} · {clockTime(Date.parse(one.since))}
                {one.returned && ` · ${t('control.wasReturned')}`}
              </small>
            </span>
            <Button
              size="small"
              icon={<Check size={15} />}
              onClick={() => void again(() => lead(consultation).admit({ people: [one.person] }))}
              data-testid="admit"
            >
              {t('control.admit')}
            </Button>
            <Button
              look="ghost"
              size="small"
              square
              icon={<X size={16} />}
              aria-label={t('control.refuseOne', { name: one.name })}
              onClick={() => setRefusing(one)}
              data-testid="refuse"
            />
          </li>
        ))}
      </ul>
      {refusing && (
        <RefuseDialog
          waiting={refusing}
          pending={pending}
          onRefuse={reason =>
            void again(() => lead(consultation).refuse(refusing.person, reason)).then(() => setRefusing(undefined))
          }
          onClose={() => setRefusing(undefined)}
        />
      )}
    </>
  )
}

interface RefuseProps {
  waiting: Waiting
  pending: boolean
  onRefuse(reason: string): void
  onClose(): void
}

function RefuseDialog({ waiting, pending, onRefuse, onClose }: RefuseProps) {
  const t = useT()
  const [reason, setReason] = useState('')
  return (
    <ActDialog
      title={t('control.refuseTitle', { name: waiting.name })}
      act={t('control.refuse')}
      pending={pending && t('control.refuse')}
      onAct={() => onRefuse(reason.trim())}
      onClose={onClose}
      data-act="refuse-act"
    >
      <Field
        label={t('control.reason')}
        value={reason}
        maxLength={200}
        data-focus
        onChange={event => setReason(event.target.value)}
      />
      <p className="note">{t('control.refuseHint')}</p>
    </ActDialog>
  )
}
