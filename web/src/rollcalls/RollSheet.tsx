import {
  ArrowLeft,
  Check,
  CircleStop,
  ListOrdered,
  Mic,
  MicOff,
  RotateCcw,
  SkipForward,
  StepForward,
} from 'lucide-react'
import { useEffect, useMemo } from 'react'
import { useStore } from 'zustand'
import { createStore } from 'zustand/vanilla'
import { useCommand, useTick } from '../app/command'
import { hub, useHub } from '../app/hub'
import { may } from '../consultations/may.model'
import { HubError } from '../hub/http'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { useKeys } from '../ui/keys'
import { duration } from '../ui/time.model'
import { rollApi } from './api'
import { RollStart } from './RollStart'
import {
  current,
  following,
  left,
  type Plan,
  type RollAct,
  type RollCall,
  type RollEntry,
  taken,
} from './rollcalls.model'
import { useRoll } from './useRoll'
import './rollcalls.css'

/** Which room asks how its roll is to be called. */
interface Starting {
  consultation: string | undefined
  plan: Plan | undefined
}

const none: Starting = { consultation: undefined, plan: undefined }
const starting = createStore<Starting>(() => none)

/** Asks how the roll is to be called, in the room or as soon as one is in it; `plan`: of whom, also when they are not there yet. */
export function openRollStart(consultation: string, plan?: Plan): void {
  starting.setState({ consultation, plan })
}

/** What the sheet needs of the room it lies over. */
export interface Microphone {
  setMic(on: boolean): Promise<void>
}

interface Props {
  consultation: Consultation
  microphone: Microphone
  people: { identity: string; name: string; org: string }[]
}

/** The roll call over the pictures: who speaks, how long yet, who is next; for who leads it the buttons and keys. */
export function RollSheet({ consultation, microphone, people }: Props) {
  const [roll, learn] = useRoll(consultation.id)
  const { consultation: asked, plan } = useStore(starting)
  const open = asked === consultation.id
  const there = useMemo(() => new Set(people.map(one => one.identity.split(':')[0] ?? '')), [people])
  useMicrophone(consultation.id, microphone)
  const close = () => starting.setState(none)
  useEffect(() => () => starting.setState(none), [])
  return (
    <>
      {roll && <Sheet roll={roll} there={there} learn={learn} />}
      {open && !roll && may(consultation, 'lead') && (
        <RollStart consultation={consultation} people={people} plan={plan} onBegun={learn} onClose={close} />
      )}
    </>
  )
}

/** Whoever is called has the microphone opened by the hub, and closed when the turn is over. */
function useMicrophone(room: string, microphone: Microphone): void {
  useEffect(() => {
    const end = (['unmute', 'mute'] as const).map(verb =>
      hub.terminal.on(
        verb,
        () => microphone.setMic(verb === 'unmute'),
        said => said.room === room && said.data.what === 'roll',
      ),
    )
    return () => {
      for (const one of end) one()
    }
  }, [room, microphone])
}

function Sheet({ roll, there, learn }: { roll: RollCall; there: ReadonlySet<string>; learn(roll: RollCall): void }) {
  const t = useT()
  const me = useHub(state => state.session?.person.id)
  const [run, pending] = useCommand()
  useTick(250, roll.until !== null)
  const now = current(roll)
  const next = following(roll, there)
  const mine = now !== undefined && now.person_id === me
  const leads = roll.may.length > 0
  const step = (action: RollAct, person?: string) => {
    if (pending || !roll.may.includes(action)) return
    void run(async () => {
      try {
        learn(await rollApi.step(roll, action, person))
      } catch (error) {
        if (!(error instanceof HubError) || error.code !== 'stale') throw error
        // They answered in between: it is still their turn, and the step is meant as it was. Else look again first.
        const fresh = await rollApi.one(roll.id)
        learn(fresh)
        if (fresh.at !== roll.at || fresh.phase === 'idle') throw error
        learn(await rollApi.step(fresh, action, person))
      }
    })
  }
  const answer = () => {
    if (mine && roll.phase === 'called') void run(() => rollApi.answer(roll.id))
  }
  useKeys('roll', {
    rollNext: () => step(roll.kind === 'sequence' ? 'next' : 'release'),
    rollSkip: () => step('skip'),
    rollRepeat: () => step('repeat'),
    rollBack: () => step('back'),
    rollEnd: () => step('end'),
    rollAnswer: answer,
  })
  const time = left(roll, hub.now())
  return (
    <section
      className={`roll-sheet${mine ? ' is-mine' : ''}`}
      aria-label={t('roll.sheet')}
      data-testid="roll-sheet"
      data-phase={roll.phase}
    >
      <div className="roll-now" aria-live="polite">
        <small>
          {t(`roll.${roll.kind}`)}
          {roll.kind === 'sequence' && ` · ${taken(roll)} / ${roll.entries.length}`}
          {` · ${t('roll.ledBy', { name: roll.led_by.name })}`}
        </small>
        <strong data-testid="roll-current">{now ? now.name : t(roll.at < 0 ? 'roll.ready' : 'roll.nobody')}</strong>
        <span>{now ? [now.org_name, now.post].filter(Boolean).join(' · ') : t('roll.onlyLeader')}</span>
      </div>
      <div className="roll-time">
        <small>{now && t(roll.phase === 'called' ? 'roll.toAnswer' : 'roll.toSpeak')}</small>
        <time data-testid="roll-time">{time === undefined ? '—' : duration(Math.ceil(time / 1000) * 1000)}</time>
      </div>
      <div className="roll-next">
        <small>{t('roll.next')}</small>
        <strong data-testid="roll-next">{next ? next.name : '—'}</strong>
        <span className="cut">{next ? next.org_name : ''}</span>
      </div>
      {mine && (
        <div className="roll-buttons">
          <span className="chip accent">
            <Mic size={14} /> {t('roll.yourTurn')}
          </span>
          {roll.phase === 'called' && (
            <Button
              look="primary"
              size="large"
              icon={<Check size={18} />}
              hint="rollAnswer"
              onClick={answer}
              data-testid="roll-answer"
            >
              {t('roll.answer')}
            </Button>
          )}
        </div>
      )}
      {leads && <Lead roll={roll} pending={pending} onStep={step} />}
      <ol className="roll-list" data-testid="roll-list">
        {roll.entries.map(one => (
          <Row
            key={one.position}
            entry={one}
            on={one === now}
            {...(leads && { onCall: () => step('call', one.person_id ?? '') })}
          />
        ))}
        {roll.kind === 'speak' && leads && <Others roll={roll} there={there} onCall={person => step('call', person)} />}
      </ol>
    </section>
  )
}

function Lead({ roll, pending, onStep }: { roll: RollCall; pending: boolean; onStep(act: RollAct): void }) {
  const t = useT()
  const able = (act: RollAct) => roll.may.includes(act) && !(act === 'back' && roll.at < 1)
  return (
    <div className="roll-buttons" aria-busy={pending}>
      {able('next') && (
        <Button
          look="primary"
          size="large"
          icon={<StepForward size={18} />}
          hint="rollNext"
          onClick={() => onStep('next')}
          data-testid="roll-go"
        >
          {t(roll.at < 0 ? 'roll.start' : 'roll.goOn')}
        </Button>
      )}
      {roll.kind === 'speak' && able('release') && (
        <Button
          size="large"
          icon={<MicOff size={18} />}
          hint="rollNext"
          onClick={() => onStep('release')}
          data-testid="roll-release"
        >
          {t('roll.release')}
        </Button>
      )}
      {able('skip') && (
        <Button icon={<SkipForward size={16} />} hint="rollSkip" onClick={() => onStep('skip')} data-testid="roll-skip">
          {t('roll.skip')}
        </Button>
      )}
      {able('repeat') && roll.at >= 0 && (
        <Button
          icon={<RotateCcw size={16} />}
          hint="rollRepeat"
          onClick={() => onStep('repeat')}
          data-testid="roll-repeat"
        >
          {t('roll.repeat')}
        </Button>
      )}
      {able('back') && (
        <Button icon={<ArrowLeft size={16} />} hint="rollBack" onClick={() => onStep('back')} data-testid="roll-back">
          {t('roll.back')}
        </Button>
      )}
      <Button icon={<CircleStop size={16} />} hint="rollEnd" onClick={() => onStep('end')} data-testid="roll-end">
        {t('roll.end')}
      </Button>
    </div>
  )
}

function Row({ entry, on, onCall }: { entry: RollEntry; on: boolean; onCall?: () => void }) {
  const t = useT()
  const words = (
    <>
      <b>{entry.name}</b>
      <small>{t(`roll.state.${entry.state}`)}</small>
    </>
  )
  return (
    <li className={`roll-entry is-${entry.state}${on ? ' on' : ''}`} data-testid="roll-entry" data-state={entry.state}>
      {onCall ? (
        <button type="button" onClick={onCall} title={t('roll.callName', { name: entry.name })}>
          {words}
        </button>
      ) : (
        words
      )}
    </li>
  )
}

/** Who is there and has not been called yet. */
function Others({ roll, there, onCall }: { roll: RollCall; there: ReadonlySet<string>; onCall(person: string): void }) {
  const t = useT()
  const consultation = useHub(state => state.consultations[roll.consultation_id ?? ''])
  const known = new Set([roll.led_by.id, ...roll.entries.map(one => one.person_id ?? '')])
  const others = new Map<string, string>()
  for (const one of consultation?.present ?? []) {
    const person = one.identity.split(':')[0] ?? ''
    if (one.kind === 'person' && there.has(person) && !known.has(person)) others.set(person, one.name)
  }
  return [...others].map(([person, name]) => (
    <li key={person} className="roll-entry is-waiting" data-testid="roll-other">
      <button type="button" onClick={() => onCall(person)} title={t('roll.callName', { name })}>
        <b>{name}</b>
        <small>{t('roll.state.waiting')}</small>
      </button>
    </li>
  ))
}

export { ListOrdered as RollIcon }
