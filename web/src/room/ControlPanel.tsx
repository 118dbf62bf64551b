import type { Track } from 'livekit-client'
import { Clock4, Hand, MicOff, Plus, Radio, Split, UserCheck, X } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { useCommand, useTick } from '../app/command'
import { hub } from '../app/hub'
import type { Consultation, Control } from '../hub/types'
import { useT } from '../i18n'
import { Avatar, Button } from '../ui/controls'
import { useKeys } from '../ui/keys'
import { clockTime } from '../ui/time.model'
import { EndDialog, MuteAllDialog, SideDialog } from './ControlDialogs'
import { lead } from './control'
import { controlOf, minutesLeft, personOf, roleOf } from './control.model'
import { LobbyList } from './LobbyList'
import type { Member } from './tiles.model'
import './control.css'

interface Props {
  consultation: Consultation
  members: Member<Track>[]
}

/** The chair's panel: who waits, whose hand is up, who is heard, what everybody sees, who talks apart, when it ends. */
export function ControlPanel({ consultation, members }: Props) {
  const t = useT()
  const control = controlOf(consultation)
  const names = new Map(members.map(member => [personOf(member.identity), member.name]))
  const name = (person: string) => names.get(person) ?? t('control.away')
  const props = { consultation, control, name }
  return (
    <div className="panel-body control-panel" data-testid="panel-control">
      <Lobby {...props} />
      <Hands {...props} />
      <Voices {...props} />
      <Pictures {...props} members={members} />
      <Sides {...props} members={members} />
      <Ending {...props} />
      <Chairs {...props} />
    </div>
  )
}

interface PartProps {
  consultation: Consultation
  control: Control
  name(person: string): string
}

function Part({ title, note, children }: { title: string; note?: string; children: ReactNode }) {
  return (
    <section className="control-part" aria-label={title}>
      <h3>
        {title} {note && <small className="note">{note}</small>}
      </h3>
      {children}
    </section>
  )
}

interface ChoiceProps<T extends string> {
  label: string
  value: T
  choices: { value: T; words: string }[]
  pending: boolean
  onPick(value: T): void
  testid: string
}

function Choice<T extends string>({ label, value, choices, pending, onPick, testid }: ChoiceProps<T>) {
  return (
    <div className="tabs" role="group" aria-label={label} aria-busy={pending || undefined} data-testid={testid}>
      {choices.map(choice => (
        <button
          type="button"
          key={choice.value}
          aria-pressed={choice.value === value}
          onClick={() => {
            if (choice.value !== value || pending) onPick(choice.value)
          }}
          data-value={choice.value}
        >
          {choice.words}
        </button>
      ))}
    </div>
  )
}

function Lobby({ consultation, control }: PartProps) {
  const t = useT()
  const [run, pending] = useCommand()
  const choices = (['off', 'outside', 'everybody'] as const).map(value => ({
    value,
    words: t(`control.lobbyMode.${value}`),
  }))
  return (
    <Part title={t('control.lobby')}>
      <Choice
        label={t('control.lobby')}
        value={control.lobby}
        choices={choices}
        pending={pending}
        onPick={mode => void run(() => lead(consultation).lobby(mode))}
        testid="lobby-mode"
      />
      <p className="note">{t(`control.lobbyHint.${control.lobby}`)}</p>
      {control.lobby !== 'off' && <LobbyList consultation={consultation} />}
    </Part>
  )
}

function Hands({ consultation, control }: PartProps) {
  const t = useT()
  const [run, pending] = useCommand()
  const act = lead(consultation)
  const again = (work: () => Promise<unknown>) =>
    void run(async () => {
      await work()
      await hub.load(consultation.id)
    })
  const next = control.hands[0]
  useKeys('room', {
    nextHand: () => {
      if (next && !pending) again(() => act.callOn(next.person))
    },
  })
  return (
    <Part title={t('control.hands')} note={control.hands.length ? String(control.hands.length) : t('control.noHands')}>
      <div className="control-row">
        <Choice
          label={t('control.order')}
          value={control.order}
          choices={[
            { value: 'rank', words: t('control.byRank') },
            { value: 'time', words: t('control.byTime') },
          ]}
          pending={pending}
          onPick={order => void run(() => act.order(order))}
          testid="hand-order"
        />
        <span className="grow" />
        {control.hands.length > 1 && (
          <Button size="small" onClick={() => again(act.lowerAll)} data-testid="lower-all">
            {t('control.lowerAll')}
          </Button>
        )}
      </div>
      <ol className="control-list" data-testid="hands">
        {control.hands.map((hand, index) => (
          <li key={hand.person} data-testid="hand-row" data-person={hand.person}>
            <b className="control-place">{index + 1}</b>
            <span className="member-name">
              <strong className="cut">{hand.name}</strong>
              <small className="cut">{t('control.handOf', { org: hand.org_name, level: hand.level })}</small>
            </span>
            <Button
              size="small"
              icon={<Hand size={15} />}
              hint={index === 0 ? 'nextHand' : undefined}
              onClick={() => again(() => act.callOn(hand.person))}
              data-testid="call-on"
            >
              {t('control.callOn')}
            </Button>
            <Button
              look="ghost"
              size="small"
              square
              icon={<X size={16} />}
              aria-label={t('control.lowerOne', { name: hand.name })}
              onClick={() => again(() => act.lower(hand.person))}
            />
          </li>
        ))}
      </ol>
    </Part>
  )
}

function Voices({ consultation, control, name }: PartProps) {
  const t = useT()
  const [run, pending] = useCommand()
  const [asking, setAsking] = useState(false)
  const act = lead(consultation)
  useKeys('room', { muteAll: () => (control.muted ? void run(act.unmute) : setAsking(true)) })
  return (
    <Part title={t('control.voices')}>
      <div className="control-row">
        {control.muted ? (
          <Button
            pending={pending && t('control.unmuteAll')}
            hint="muteAll"
            onClick={() => void run(act.unmute)}
            data-testid="unmute-all"
          >
            {t('control.unmuteAll')}
          </Button>
        ) : (
          <Button icon={<MicOff size={16} />} hint="muteAll" onClick={() => setAsking(true)} data-testid="mute-all">
            {t('control.muteAll')}
          </Button>
        )}
        {control.broadcast && (
          <Button
            icon={<Radio size={16} />}
            onClick={() => void run(() => act.broadcast(null))}
            data-testid="broadcast-end"
          >
            {t('control.broadcastEnd')}
          </Button>
        )}
      </div>
      {control.broadcast && <p className="note">{t('control.broadcasting', { name: name(control.broadcast) })}</p>}
      {control.muted && <p className="note">{t(control.unmute ? 'control.mutedSoft' : 'control.mutedHard')}</p>}
      {control.speakers.length > 0 && (
        <ul className="control-chips">
          {control.speakers.map(person => (
            <li className="chip" key={person}>
              {name(person)}
              <button
                type="button"
                aria-label={t('control.disallow', { name: name(person) })}
                onClick={() =>
                  void run(async () => {
                    await act.disallow(person)
                    await hub.load(consultation.id)
                  })
                }
              >
                <X size={13} />
              </button>
            </li>
          ))}
        </ul>
      )}
      {asking && <MuteAllDialog consultation={consultation} onClose={() => setAsking(false)} />}
    </Part>
  )
}

function Pictures({ consultation, control, members }: PartProps & { members: Member<Track>[] }) {
  const t = useT()
  const [run, pending] = useCommand()
  const act = lead(consultation)
  const spot = members.find(member => member.identity === control.spotlight)
  return (
    <Part title={t('control.pictures')}>
      <Choice
        label={t('control.layout')}
        value={control.layout}
        choices={[
          { value: '', words: t('control.layoutFree') },
          { value: 'grid', words: t('room.grid') },
          { value: 'speaker', words: t('room.speaker') },
        ]}
        pending={pending}
        onPick={layout => void run(() => act.stage({ layout }))}
        testid="stage-layout"
      />
      <div className="control-row">
        <span className="note grow">
          {spot ? t('control.spotlit', { name: spot.name }) : t('control.spotlightHint')}
        </span>
        {control.spotlight && (
          <Button size="small" onClick={() => void run(() => act.stage({ spotlight: '' }))} data-testid="spotlight-end">
            {t('control.spotlightEnd')}
          </Button>
        )}
      </div>
    </Part>
  )
}

function Sides({ consultation, control, name, members }: PartProps & { members: Member<Track>[] }) {
  const t = useT()
  const [run] = useCommand()
  const [making, setMaking] = useState(false)
  return (
    <Part title={t('control.sides')}>
      <ul className="control-list">
        {control.sides.map(side => (
          <li key={side.id} data-testid="side">
            <Split size={16} />
            <span className="member-name">
              <strong className="cut">{side.title}</strong>
              <small className="cut">{side.people.map(name).join('、')}</small>
            </span>
            <Button
              size="small"
              onClick={() =>
                void run(async () => {
                  await lead(consultation).endSide(side.id)
                  await hub.load(consultation.id)
                })
              }
              data-testid="side-end"
            >
              {t('control.sideEnd')}
            </Button>
          </li>
        ))}
      </ul>
      <Button
        size="small"
        icon={<Plus size={15} />}
        refused={control.broadcast !== '' && t('control.sideNotNow')}
        onClick={() => setMaking(true)}
        data-testid="side-new"
      >
        {t('control.sideNew')}
      </Button>
      {making && <SideDialog consultation={consultation} members={members} onClose={() => setMaking(false)} />}
    </Part>
  )
}

function Ending({ consultation, control }: PartProps) {
  const t = useT()
  const [asking, setAsking] = useState(false)
  useTick(10_000)
  const left = minutesLeft(control, hub.now())
  const words =
    left === undefined
      ? t('control.noEnd')
      : left > 0
        ? t('control.endsAt', { time: clockTime(Date.parse(control.ends_at ?? '')), minutes: left })
        : t('control.over')
  return (
    <Part title={t('control.ending')}>
      <div className="control-row">
        <span className="note grow">{words}</span>
        <Button size="small" icon={<Clock4 size={15} />} onClick={() => setAsking(true)} data-testid="extend">
          {t(left === undefined ? 'control.setEnd' : 'control.extend')}
        </Button>
      </div>
      {asking && <EndDialog consultation={consultation} onClose={() => setAsking(false)} />}
    </Part>
  )
}

function Chairs({ control, name }: PartProps) {
  const t = useT()
  const people = [control.chair, ...control.co_chairs.filter(one => one !== control.chair)]
  return (
    <Part title={t('control.chairs')} note={t('control.chairsHint')}>
      <ul className="control-list">
        {people.map(person => {
          const role = roleOf(control, person)
          return (
            <li key={person}>
              <Avatar name={name(person)} />
              <strong className="cut grow">{name(person)}</strong>
              {role && (
                <span className="chip">
                  <UserCheck size={13} /> {t(`control.role.${role}`)}
                </span>
              )}
            </li>
          )
        })}
      </ul>
    </Part>
  )
}
