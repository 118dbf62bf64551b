import { Cctv, ListOrdered, Play, Video } from 'lucide-react'
import { useEffect } from 'react'
import { reasonText } from '../app/command'
import { hub, useCan } from '../app/hub'
import { navigate } from '../app/router'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { openRollStart } from '../rollcalls/RollSheet'
import { Button } from '../ui/controls'
import { clockTime, dateTime, minutesSince } from '../ui/time.model'
import { reviewPath } from './Consultations'
import { absent, joinable, may } from './may.model'

/** What a consultation is and who is in it. */
export function Detail({ consultation: c }: { consultation: Consultation | undefined }) {
  const t = useT()
  // An event brought it without what we may do: ask once.
  const unknown = c && !c.may && c.state === 'live' ? c.id : undefined
  useEffect(() => {
    if (unknown) void hub.load(unknown).catch(() => undefined)
  }, [unknown])
  if (!c)
    return (
      <aside className="detail" aria-label={t('list.details')}>
        <p className="note">{t('list.choose')}</p>
      </aside>
    )
  return (
    <aside className="detail" aria-label={t('list.details')}>
      <div className="detail-body">
        <div className="chips">
          <span className="chip">{c.code}</span>
        </div>
        <h2>{c.title}</h2>
        <Facts consultation={c} />
        {c.state === 'live' && <Who consultation={c} />}
      </div>
      <Actions consultation={c} />
    </aside>
  )
}

function Facts({ consultation: c }: { consultation: Consultation }) {
  const t = useT()
  const began = Date.parse(c.created_at)
  const reason = c.recording.reason ? { text: c.recording.reason, text_en: c.recording.reason_en } : null
  const recording = {
    off: c.state === 'ended' && c.recordings.length ? t('list.recordThere') : t('list.recordOff'),
    recording: t('list.recordOn'),
    paused: t('list.recordPaused'),
    failed: t('list.recordFailed', { reason: reasonText(reason) ?? t('common.none') }),
  }
  const started =
    c.state === 'live'
      ? t('list.startedAgo', { time: clockTime(began).slice(0, 5), minutes: minutesSince(began, hub.now()) })
      : dateTime(began)
  return (
    <dl className="facts">
      <dt>{t('list.host')}</dt>
      <dd>
        {c.host.name} · {c.host.org_name}
      </dd>
      <dt>{t('list.started')}</dt>
      <dd>{started}</dd>
      {c.ended_at && (
        <>
          <dt>{t('list.endedAt')}</dt>
          <dd>{dateTime(Date.parse(c.ended_at))}</dd>
        </>
      )}
      <dt>{t('list.record')}</dt>
      <dd>{recording[c.recording.state]}</dd>
      <dt>{t('label.name')}</dt>
      <dd>{t(`label.${c.label}`)}</dd>
      {c.organisations.length > 0 && (
        <>
          <dt>{t('list.invited')}</dt>
          <dd>{c.organisations.map(o => o.name).join('、')}</dd>
        </>
      )}
    </dl>
  )
}

function Who({ consultation: c }: { consultation: Consultation }) {
  const t = useT()
  return (
    <>
      <h3>{c.present.length ? t('list.present', { count: c.present.length }) : t('list.presentNone')}</h3>
      <ul className="who" aria-live="polite">
        {c.present.map(p => (
          <li key={p.identity}>
            {p.kind === 'camera' ? <Cctv size={14} /> : <i className="dot" />}
            <span className="cut grow">{p.name}</span>
            <small className="cut">
              {p.org_name}
              {p.kind === 'camera' && ` · ${t('list.cameraKind')}`}
            </small>
          </li>
        ))}
        {absent(c).map(p => (
          <li key={p.id}>
            <i className="dot off" />
            <span className="cut grow">{p.name}</span>
            <small className="cut">
              {p.org_name} · {t('list.invitedNotHere')}
            </small>
          </li>
        ))}
      </ul>
    </>
  )
}

function Actions({ consultation: c }: { consultation: Consultation }) {
  const t = useT()
  const mayReview = useCan('recording.view')
  if (c.state === 'live')
    return (
      <footer>
        <Button
          look="primary"
          size="large"
          icon={<Video size={18} />}
          refused={!joinable(c) && t('list.lockedOut')}
          onClick={() => navigate(`/room/${c.id}`)}
          data-testid="detail-join"
        >
          {t('list.joinLong')}
        </Button>
        {may(c, 'lead') && joinable(c) && (
          <Button
            size="large"
            icon={<ListOrdered size={18} />}
            title={t('roll.ofAgendaHint')}
            onClick={() => {
              openRollStart(c.id, { organisations: c.organisations, people: c.people })
              navigate(`/room/${c.id}`)
            }}
            data-testid="detail-roll"
          >
            {t('roll.ofAgenda')}
          </Button>
        )}
      </footer>
    )
  if (!c.recordings.length || !mayReview) return null
  return (
    <footer>
      <Button look="primary" size="large" icon={<Play size={18} />} onClick={() => navigate(reviewPath(c))}>
        {t('list.review')}
      </Button>
    </footer>
  )
}
