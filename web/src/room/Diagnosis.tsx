import { ArrowDown, ArrowUp, Cctv, ChevronDown, ChevronRight, CircleCheck, Laptop, Server, Wifi } from 'lucide-react'
import { useEffect, useState } from 'react'
import { sentence } from '../app/command'
import { hub } from '../app/hub'
import type { ConsultationStats, ParticipantStats } from '../hub/types'
import { type Key, useT } from '../i18n'
import { ProblemLine, Skeleton } from '../ui/controls'
import { inOrderOfNeed, layers, look, percent, rate, summary } from './diagnosis.model'

const EVERY = 4000

/** Where it hurts, for everybody in the room; asked again while it is open and the page is seen. */
export function Diagnosis({ id }: { id: string }) {
  const t = useT()
  const [stats, setStats] = useState<ConsultationStats>()
  const [problem, setProblem] = useState<string>()
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let over = false
    const look = async () => {
      if (!document.hidden)
        await hub.api.stats(id).then(
          answer => {
            if (over) return
            setStats(answer)
            setProblem(undefined)
          },
          error => {
            if (!over) setProblem(sentence(error))
          },
        )
      if (!over) timer = setTimeout(() => void look(), EVERY)
    }
    void look()
    return () => {
      over = true
      clearTimeout(timer)
    }
  }, [id])
  const names = new Map(stats?.participants.map(one => [one.identity, one.name]))
  return (
    <div className="panel-body" data-testid="panel-diagnosis">
      {problem && (
        <div className="panel-search">
          <ProblemLine text={problem} />
        </div>
      )}
      {!stats && !problem && <Skeleton lines={4} />}
      {stats && (
        <>
          <p className="panel-caption" role="status">
            <Headline stats={stats} />
          </p>
          <ul className="diagnosis">
            {inOrderOfNeed(stats.participants).map(one => (
              <Row key={one.identity} one={one} names={names} />
            ))}
          </ul>
        </>
      )}
      {stats?.participants.length === 0 && <p className="note panel-search">{t('diagnosis.nobody')}</p>}
    </div>
  )
}

function Headline({ stats }: { stats: ConsultationStats }) {
  const t = useT()
  const { bad, noticed } = summary(stats.participants)
  if (bad + noticed === 0) return <span>{t('diagnosis.allFine', { count: stats.participants.length })}</span>
  return <span>{t('diagnosis.some', { bad, noticed })}</span>
}

const icons = {
  fine: CircleCheck,
  client: Laptop,
  network: Wifi,
  network_up: ArrowUp,
  network_down: ArrowDown,
  hub: Server,
  camera: Cctv,
} as const

function Row({ one, names }: { one: ParticipantStats; names: Map<string, string> }) {
  const t = useT()
  const [open, setOpen] = useState(false)
  const { verdict } = one
  const Icon = icons[verdict.fault]
  return (
    <li data-testid="diagnosis" data-identity={one.identity} data-fault={verdict.fault} data-grade={verdict.grade}>
      <button type="button" className="diagnosis-head" aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? <ChevronDown size={14} aria-hidden /> : <ChevronRight size={14} aria-hidden />}
        <span className="member-name">
          <strong className="cut">{one.name}</strong>
          <small className="cut">{one.org_name}</small>
        </span>
        <span className={`chip ${look(one)}`}>
          <Icon size={13} aria-hidden /> {t(`diagnosis.fault.${verdict.fault}`)}
        </span>
      </button>
      {verdict.grade !== 'fine' && (
        <div className="diagnosis-words">
          <p>{verdict.text}</p>
          {verdict.step && <p className="note">{verdict.step}</p>}
        </div>
      )}
      {open && <Figures one={one} names={names} />}
    </li>
  )
}

function Figures({ one, names }: { one: ParticipantStats; names: Map<string, string> }) {
  const t = useT()
  const camera = one.kind === 'camera'
  const lines: [Key, string][] = [
    ['diagnosis.up', `${rate(one.bitrate_up)} · ${t('diagnosis.loss', { share: percent(one.loss_up) })}`],
  ]
  if (!camera)
    lines.push(
      ['diagnosis.down', `${rate(one.bitrate_down)} · ${t('diagnosis.loss', { share: percent(one.loss_down) })}`],
      ['diagnosis.trip', one.rtt_ms > 0 ? t('diagnosis.ms', { ms: Math.round(one.rtt_ms) }) : '—'],
      ['diagnosis.over', one.over ? one.over.toUpperCase() : '—'],
    )
  for (const track of one.up.filter(track => track.kind === 'video' && track.width > 0 && !track.muted))
    lines.push([
      track.source === 'screen_share' ? 'diagnosis.screen' : 'diagnosis.picture',
      `${track.width} × ${track.height} · ${rate(track.bitrate)}`,
    ])
  const received = layers(one)
  return (
    <div className="diagnosis-figures">
      {verdictOfFine(one)}
      <dl>
        {lines.map(([name, value]) => (
          <div key={name + value}>
            <dt>{t(name)}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {received.map(({ identity, sent, wanted }) => (
          <div key={identity}>
            <dt className="cut">{t('diagnosis.sees', { name: names.get(identity) ?? '' })}</dt>
            <dd>
              {sent === null
                ? t('diagnosis.nothing')
                : t(sent < wanted ? 'diagnosis.lower' : 'diagnosis.layer', { sent: sent + 1, wanted: wanted + 1 })}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

/** What is fine needs no sentence until somebody looks. */
function verdictOfFine({ verdict }: ParticipantStats) {
  if (verdict.grade !== 'fine') return null
  return (
    <p className="note">
      {verdict.text} {verdict.step}
    </p>
  )
}
