import { useQuery, useQueryClient } from '@tanstack/react-query'
import { ArrowLeft, ShieldCheck, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { sentence, useCommand } from '../app/command'
import { hub, useHub } from '../app/hub'
import { navigate } from '../app/router'
import type { Hold, Keeping, KeptRecording } from '../hub/keepingTypes'
import { useT } from '../i18n'
import { Button, Field } from '../ui/controls'
import { ActDialog, MenuButton, type MenuItem } from '../ui/overlay'
import { dateTime } from '../ui/time.model'
import type { HeadProps } from './headPieces'
import { isGone, sizeText } from './keeping.model'
import { keepingApi } from './keepingApi'
import './keeping.css'

const day = (time: string) => dateTime(Date.parse(time))

/** What becomes of a recording, where there is something to say. */
export function KeepingChip({ keeping }: { keeping: Keeping | undefined }) {
  const t = useT()
  if (!keeping) return null
  const { state } = keeping
  if (state === 'kept')
    return keeping.until ? (
      <small className="keeping-until">{t('keeping.until', { day: day(keeping.until) })}</small>
    ) : null
  const note =
    state === 'expiring' && keeping.expires_at
      ? t('keeping.goesAt', { day: day(keeping.expires_at) })
      : (keeping.request?.reason ?? undefined)
  return (
    <span
      className={`chip ${state === 'held' ? 'inverse' : 'outline'}`}
      title={note}
      data-testid="keeping-chip"
      data-state={state}
    >
      {t(`keeping.state.${state}`)}
    </span>
  )
}

type Asked = { act: 'hold' | 'ask' | 'refuse' } | { act: 'lift'; hold: Hold } | { act: 'confirm' }

/** In the player's head: how it is kept, and what one may do about that. */
export function KeepingPiece({ recording }: HeadProps) {
  const t = useT()
  const client = useQueryClient()
  const rev = useHub(state => state.recordingsRev)
  const query = useQuery({
    queryKey: ['keeping', recording.id, rev],
    queryFn: () => keepingApi.one(recording.id),
    placeholderData: before => before,
  })
  const [asked, setAsked] = useState<Asked>()
  const kept = query.data
  if (!kept) return null
  const changed = () => {
    setAsked(undefined)
    void client.invalidateQueries({ queryKey: ['keeping', recording.id] })
    void client.invalidateQueries({ queryKey: ['recording', recording.id] })
  }
  const items = menu(kept, t, setAsked)
  return (
    <>
      <KeepingChip keeping={kept.recording.keeping} />
      {items.length > 0 && (
        <MenuButton
          look="ghost"
          size="small"
          icon={<ShieldCheck size={16} />}
          place="below-end"
          items={items}
          data-testid="keeping-menu"
        >
          {t('keeping.menu')}
        </MenuButton>
      )}
      {asked && <KeepingDialog kept={kept} asked={asked} onDone={changed} onClose={() => setAsked(undefined)} />}
    </>
  )
}

function menu(kept: KeptRecording, t: ReturnType<typeof useT>, ask: (asked: Asked) => void): (MenuItem | 'line')[] {
  const may = (act: string) => kept.acts.includes(act as KeptRecording['acts'][number])
  const items: (MenuItem | 'line')[] = []
  const add = (key: Asked['act'], label: string, onPick: () => void, id = key as string) =>
    items.push({ key: id, label, onPick, testid: `keeping-${key}` })
  if (may('hold')) add('hold', t('keeping.act.hold'), () => ask({ act: 'hold' }))
  if (may('lift'))
    for (const hold of kept.holds.filter(one => one.lifted_at === null))
      add(
        'lift',
        t('keeping.act.liftOne', { reason: hold.reason }),
        () => ask({ act: 'lift', hold }),
        `lift ${hold.id}`,
      )
  if (may('ask')) add('ask', t('keeping.act.ask'), () => ask({ act: 'ask' }))
  if (may('confirm')) add('confirm', t('keeping.act.confirm'), () => ask({ act: 'confirm' }))
  if (may('refuse'))
    add('refuse', t(mine(kept) ? 'keeping.act.withdraw' : 'keeping.act.refuse'), () => ask({ act: 'refuse' }))
  return items
}

const mine = (kept: KeptRecording) =>
  kept.recording.keeping?.request?.person_id === hub.store.getState().session?.person.id

interface DialogProps {
  kept: KeptRecording
  asked: Asked
  onDone(): void
  onClose(): void
}

/** Says what it means, asks why, does it. */
export function KeepingDialog({ kept, asked, onDone, onClose }: DialogProps) {
  const t = useT()
  const [reason, setReason] = useState('')
  const [run, pending] = useCommand()
  const { act } = asked
  const { recording } = kept
  const request = recording.keeping?.request
  const said = reason.trim()
  const needed = act !== 'confirm' && said.length < 2
  const submit = async () => {
    const rev = recording.keeping?.rev ?? 0
    const done = await run(() => {
      if (act === 'hold') return keepingApi.hold(recording.id, said)
      if (act === 'lift') return keepingApi.lift(recording.id, asked.hold.id, said)
      if (act === 'ask') return keepingApi.ask(recording.id, said)
      if (act === 'refuse') return keepingApi.refuse(recording.id, rev, said)
      return keepingApi.confirm(recording.id, rev)
    })
    if (done) onDone()
  }
  return (
    <ActDialog
      title={t(`keeping.title.${act}`)}
      note={recording.title}
      onClose={onClose}
      act={t(`keeping.act.${act === 'refuse' && mine(kept) ? 'withdraw' : act}`)}
      pending={pending && t('keeping.pending')}
      refused={needed && t('keeping.reasonNeeded')}
      onAct={() => void submit()}
      data-act="keeping-submit"
      data-testid="keeping-dialog"
    >
      <p>{t(`keeping.meaning.${act}`)}</p>
      {(act === 'confirm' || act === 'refuse') && request && (
        <p className="keeping-quote" data-testid="keeping-request">
          {t('keeping.request', { name: request.name, time: day(request.at), reason: request.reason })}
        </p>
      )}
      {act !== 'confirm' && (
        <Field
          label={t('keeping.reason')}
          value={reason}
          maxLength={500}
          placeholder={t(`keeping.hint.${act}`)}
          onChange={event => setReason(event.target.value)}
          onKeyDown={event => {
            if (event.key === 'Enter' && !needed) void submit()
          }}
          data-focus
          data-testid="keeping-reason"
        />
      )}
      <p className="note">{t('keeping.audited')}</p>
    </ActDialog>
  )
}

/** What is left of a deleted recording: who, when, why, and what still proves what it was. */
export function TombstonePage({ id }: { id: string }) {
  const t = useT()
  const rev = useHub(state => state.recordingsRev)
  const query = useQuery({ queryKey: ['keeping', id, rev], queryFn: () => keepingApi.one(id), placeholderData: b => b })
  const recording = query.data?.recording
  const stone = recording?.keeping?.tombstone
  return (
    <div className="center" role="status">
      <div className="tombstone" data-testid="tombstone">
        <Trash2 size={24} aria-hidden />
        <h1>{t('keeping.goneTitle')}</h1>
        {query.error && <p>{sentence(query.error)}</p>}
        {recording && stone && (
          <dl>
            <dt>{t('review.subject')}</dt>
            <dd>
              {recording.title} · {t('list.code', { code: recording.code })}
            </dd>
            <dt>{t('keeping.recordedAt')}</dt>
            <dd>{day(recording.started_at)}</dd>
            <dt>{t('keeping.deletedAt')}</dt>
            <dd>{day(stone.at)}</dd>
            <dt>{t('keeping.why')}</dt>
            <dd>{stone.why === 'retention' ? t('keeping.byRetention') : stone.reason}</dd>
            {stone.why === 'people' && (
              <>
                <dt>{t('keeping.byWhom')}</dt>
                <dd>{t('keeping.twoPeople', { first: stone.asked_name, second: stone.confirmed_name })}</dd>
              </>
            )}
            <dt>{t('keeping.files')}</dt>
            <dd>
              {stone.removed_at
                ? t('keeping.removed', { size: sizeText(stone.bytes), time: day(stone.removed_at) })
                : t('keeping.removing')}
            </dd>
            <dt>{t('keeping.proof')}</dt>
            <dd>
              <code>{stone.head || t('common.none')}</code>
              <small>{t('keeping.proofNote', { count: stone.checkpoints })}</small>
            </dd>
          </dl>
        )}
        <Button icon={<ArrowLeft size={16} />} onClick={() => navigate('/review')}>
          {t('review.backToList')}
        </Button>
      </div>
    </div>
  )
}

/** The row's class in a list of recordings. */
export const keptClass = (keeping: Keeping | undefined) => (isGone(keeping) ? 'gone' : '')
