import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import {
  ChevronDown,
  Grid3x3,
  PhoneCall,
  PhoneIncoming,
  PhoneMissed,
  PhoneOutgoing,
  Video,
  Volume2,
} from 'lucide-react'
import { useEffect, useMemo, useState } from 'react'
import { sentence, useCommand } from '../app/command'
import { hub, useCan, useHub } from '../app/hub'
import { startRinging } from '../consultations/bell'
import type { Page } from '../hub/types'
import { languageTag, useT } from '../i18n'
import { Button, Empty, ProblemLine, Skeleton } from '../ui/controls'
import { duration } from '../ui/time.model'
import { CallDialog } from './CallDialog'
import { type Call, type Direction, directionOf, lasted, partnersOf, whyNot } from './calls.model'
import { desk } from './desk'
import { ringTone, setRingTone, type Tone, tones } from './tones'
import './calls.css'

const icons = { made: PhoneOutgoing, received: PhoneIncoming, missed: PhoneMissed }

/** Calls that were: whom, when, how long, and again. */
export default function History() {
  const t = useT()
  const me = useHub(state => state.session?.person.id ?? '')
  const mayCall = useCan('call.make')
  const [which, setWhich] = useState<Direction | 'all'>('all')
  const [dialing, setDialing] = useState(false)
  const list = useHistory()
  const shown = useMemo(
    () => list.items.filter(call => which === 'all' || directionOf(call, me) === which),
    [list.items, which, me],
  )
  return (
    <div className="history" data-testid="history">
      <header className="history-head">
        <h1>{t('call.historyTitle')}</h1>
        <div className="tabs" role="tablist" aria-label={t('call.historyTitle')}>
          {(['all', 'missed', 'made', 'received'] as const).map(one => (
            <button
              type="button"
              role="tab"
              key={one}
              aria-selected={which === one}
              onClick={() => setWhich(one)}
              data-testid={`history-${one}`}
            >
              {t(`call.history.${one}`)}
            </button>
          ))}
        </div>
        <span className="grow" />
        <RingTone />
        {mayCall && (
          <Button icon={<Grid3x3 size={16} />} onClick={() => setDialing(true)} data-testid="history-pad">
            {t('call.pad')}
          </Button>
        )}
      </header>
      {list.problem && <ProblemLine text={list.problem} />}
      {list.loading && <Skeleton lines={6} />}
      {!list.loading && !list.problem && shown.length === 0 && <Empty text={t('call.noHistory')} />}
      <ul aria-label={t('call.historyTitle')}>
        {shown.map(call => (
          <Row key={call.id} call={call} me={me} mayCall={mayCall} />
        ))}
      </ul>
      {list.more && (
        <Button onClick={list.more} className="history-more">
          {t('common.moreItems')}
        </Button>
      )}
      {dialing && (
        <CallDialog
          title={t('call.title')}
          act={t('call.act')}
          pending={t('call.pending')}
          pad
          onAct={to => desk.call(to)}
          onClose={() => setDialing(false)}
        />
      )}
    </div>
  )
}

function useHistory() {
  const queries = useQueryClient()
  const resyncs = useHub(state => state.resyncs)
  const query = useInfiniteQuery({
    queryKey: ['calls', 'history', resyncs],
    queryFn: ({ pageParam }) =>
      hub.http.request<Page<Call>>('GET', '/calls', { query: { mine: 'true', state: 'ended', cursor: pageParam } }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: page => page.next ?? undefined,
  })
  useEffect(
    () =>
      hub.onEvents(event => {
        if (event.type === 'call.ended') void queries.invalidateQueries({ queryKey: ['calls'] })
      }),
    [queries],
  )
  return {
    items: useMemo(() => query.data?.pages.flatMap(page => page.items) ?? [], [query.data]),
    loading: query.isPending,
    problem: query.error ? sentence(query.error) : undefined,
    more: query.hasNextPage ? () => void query.fetchNextPage() : undefined,
  }
}

function Row({ call, me, mayCall }: { call: Call; me: string; mayCall: boolean }) {
  const t = useT()
  const [run, pending] = useCommand()
  const direction = directionOf(call, me)
  const Icon = icons[direction]
  const partners = partnersOf(call, me)
  const name = partners.map(one => one.name).join('、') || t('common.none')
  const time = lasted(call)
  const reason = whyNot(call, me)
  const why = reason ? t(`call.end.${reason}` as 'call.end.busy') : ''
  // Of a call one did not make, whoever made it is called back.
  const again = () =>
    run(() => (direction === 'made' ? desk.redial(call.id) : desk.call([{ person: call.created_by.id }], call.video)))
  const label = direction === 'made' ? t('call.redial') : t('call.callBack', { name: call.created_by.name })
  return (
    <li className={`history-row is-${direction}`} data-testid="history-row" data-direction={direction}>
      <Icon size={18} aria-label={t(`call.history.${direction}`)} />
      <span className="two grow">
        <strong className="cut">{name}</strong>
        <small className="cut">
          {[t(`call.history.${direction}`), partners.length === 1 && partners[0]?.org, why].filter(Boolean).join(' · ')}
        </small>
      </span>
      {call.emergency && <span className="chip inverse">{t('call.emergencyCall')}</span>}
      {call.video && <Video size={16} aria-label={t('directory.video')} />}
      <span className="two history-when">
        <time dateTime={call.created_at}>{when(call.created_at)}</time>
        <small>{time === undefined ? '' : t('call.lasted', { time: duration(time) })}</small>
      </span>
      {mayCall && (
        <Button
          icon={<PhoneCall size={16} />}
          pending={pending && t('call.pending')}
          aria-label={label}
          title={label}
          onClick={() => void again()}
          data-testid="history-redial"
        >
          {t('call.redial')}
        </Button>
      )}
    </li>
  )
}

function when(at: string): string {
  const shape = { month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', hour12: false } as const
  return new Date(at).toLocaleString(languageTag(), shape)
}

/** What calls sound like in this browser. Emergencies have a sound of their own. */
function RingTone() {
  const t = useT()
  const [tone, setTone] = useState(ringTone)
  const listen = (next: Tone) => {
    const stop = startRinging(false, next)
    setTimeout(stop, 2000)
  }
  return (
    <span className="history-tone">
      <span className="select-box">
        <select
          className="select"
          aria-label={t('call.tone')}
          value={tone}
          onChange={event => {
            const next = event.target.value as Tone
            setTone(next)
            setRingTone(next)
            listen(next)
          }}
          data-testid="ring-tone"
        >
          {tones.map(one => (
            <option key={one} value={one}>
              {`${t('call.tone')} ${t(`call.tones.${one}`)}`}
            </option>
          ))}
        </select>
        <ChevronDown size={16} />
      </span>
      <Button
        square
        icon={<Volume2 size={16} />}
        aria-label={t('call.tryTone')}
        title={t('call.tryTone')}
        onClick={() => listen(tone)}
      />
    </span>
  )
}
