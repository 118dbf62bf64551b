import { describe, expect, it } from 'vitest'
import {
  activeAt,
  type Call,
  type Calls,
  columnsOf,
  directionOf,
  faces,
  farewell,
  type Leg,
  lasted,
  othersIn,
  partnersOf,
  readCall,
  ringingAt,
  situation,
  talked,
  transferable,
  whyNot,
  withCall,
  withLive,
} from './calls.model'

const here = 'me:T1'

function leg(person: string, state: Leg['state'], more: Partial<Leg> = {}): Leg {
  return {
    id: `${person}-${state}`,
    party: person === 'me' ? 0 : 1,
    person: { id: person, name: person.toUpperCase(), org_name: `${person}'s` },
    terminal: person === 'me' ? here : `${person}:T`,
    state,
    end: null,
    ended_by: null,
    waiting: false,
    silent: false,
    answered_at: null,
    ...more,
  }
}

function call(id: string, legs: Leg[], more: Partial<Call> = {}): Call {
  const person = { id: 'me', name: 'ME', org_name: '' }
  return {
    id,
    kind: 'point',
    state: 'active',
    end: null,
    priority: 3,
    emergency: false,
    video: false,
    created_by: person,
    created_at: `2026-01-01T00:00:0${id.length}.000Z`,
    answered_at: null,
    ended_at: null,
    rev: 1,
    parties: [
      { kind: 'caller', id: 'me', name: 'ME' },
      { kind: 'person', id: 'bo', name: 'BO' },
    ],
    legs,
    ...more,
  }
}

const all = (...calls: Call[]): Calls => Object.fromEntries(calls.map(one => [one.id, one]))

describe('calls of this terminal', () => {
  it('takes in what is newer, and nothing of a call it never knew that is over', () => {
    const old = call('a', [leg('me', 'answered')], { rev: 4 })
    expect(withCall(all(old), { ...old, rev: 3, state: 'ended' })).toEqual(all(old))
    expect(withCall(all(old), { ...old, rev: 5, state: 'ended' })).toEqual(all({ ...old, rev: 5, state: 'ended' }))
    expect(withCall({}, { ...old, state: 'ended' })).toEqual({})
    expect(Object.keys(withLive(all(old), [call('b', [])]))).toEqual(['b'])
    expect(readCall({ id: 'x' })).toBeUndefined()
  })

  it('shows emergencies first, and the call that is talked in before those on hold', () => {
    const ringing = [leg('me', 'ringing'), leg('bo', 'answered')]
    const calls = all(call('a', ringing), call('bb', ringing, { emergency: true }), call('ccc', [leg('bo', 'ringing')]))
    expect(ringingAt(calls, here).map(one => one.id)).toEqual(['bb', 'a'])
    expect(ringingAt(calls, 'me:T2')).toEqual([])
    const held = call('a', [leg('me', 'held'), leg('bo', 'answered')])
    const on = call('bb', [leg('me', 'answered'), leg('cy', 'answered')])
    expect(activeAt(all(held, on), here).map(one => one.id)).toEqual(['bb', 'a'])
  })

  it('says what goes on', () => {
    const with_ = (...others: Leg[]) => call('a', [leg('me', 'answered'), ...others])
    expect(situation(with_(leg('bo', 'inviting')), here)).toBe('calling')
    expect(situation(with_(leg('bo', 'inviting', { silent: true })), here)).toBe('silent')
    expect(situation(with_(leg('bo', 'answered')), here)).toBe('talking')
    expect(situation(with_(leg('bo', 'held')), here)).toBe('held_by_other')
    expect(situation(call('a', [leg('me', 'held'), leg('bo', 'answered')]), here)).toBe('held')
    expect(transferable(with_(leg('bo', 'answered')))).toBe(true)
    expect(transferable(with_(leg('bo', 'ringing')))).toBe(false)
    expect(talked(call('a', [], { answered_at: '2026-01-01T00:00:00Z' }), Date.parse('2026-01-01T00:01:02Z'))).toBe(62)
  })

  it('names an organisation while nobody of it has answered, and the person afterwards', () => {
    const parties: Call['parties'] = [
      { kind: 'caller', id: 'me', name: 'ME' },
      { kind: 'org', id: 'water', name: 'Water' },
    ]
    const both = call('a', [leg('me', 'answered'), leg('bo', 'ringing'), leg('cy', 'ringing')], { parties })
    expect(othersIn(both, here).map(one => one.name)).toEqual(['Water'])
    const one = { ...both, legs: [leg('me', 'answered'), leg('bo', 'answered'), leg('cy', 'ended')] }
    expect(othersIn(one, here).map(other => other.name)).toEqual(['BO'])
  })

  it('says why it ended to whom did not end it', () => {
    const over = (end: string, by: string) => call('a', [leg('me', 'ended', { end, ended_by: by })], { state: 'ended' })
    expect(farewell(over('hangup', 'me'), here, 'me')).toBeUndefined()
    expect(farewell(over('preempted', 'bo'), here, 'me')).toBe('preempted')
    expect(farewell(over('answered_elsewhere', 'me'), here, 'me')).toBe('answered_elsewhere')
  })
})

describe('calls that were, and pictures', () => {
  const ended = (more: Partial<Call>, ...legs: Leg[]) => call('a', legs, { state: 'ended', ...more })
  const bo = { id: 'bo', name: 'BO', org_name: 'Bs' }

  it('are made, received or missed', () => {
    expect(directionOf(ended({}, leg('me', 'ended')), 'me')).toBe('made')
    const at = '2026-01-01T00:00:05.000Z'
    expect(directionOf(ended({ created_by: bo }, leg('me', 'ended', { answered_at: at })), 'me')).toBe('received')
    expect(directionOf(ended({ created_by: bo }, leg('me', 'ended')), 'me')).toBe('missed')
  })

  it('name whom they were with, and how long one talked', () => {
    expect(partnersOf(ended({}, leg('bo', 'ended')), 'me')).toEqual([{ id: 'bo', name: 'BO', org: "bo's" }])
    expect(partnersOf(ended({ created_by: bo }), 'me').map(one => one.name)).toEqual(['BO'])
    const conference = ended({
      kind: 'conference',
      created_by: bo,
      parties: [
        { kind: 'caller', id: 'bo', name: 'BO' },
        { kind: 'person', id: 'me', name: 'ME' },
        { kind: 'org', id: 'water', name: 'Water' },
      ],
    })
    expect(partnersOf(conference, 'me').map(one => one.name)).toEqual(['BO', 'Water'])
    expect(lasted(ended({ answered_at: '2026-01-01T00:00:01Z', ended_at: '2026-01-01T00:00:31Z' }))).toBe(30_000)
    expect(lasted(ended({ ended_at: '2026-01-01T00:00:31Z' }))).toBeUndefined()
  })

  it('say why nobody talked, to whom it concerns', () => {
    const declined = leg('me', 'ended', { end: 'declined' })
    expect(whyNot(ended({ end: 'declined', created_by: bo }, declined), 'me')).toBe('self_declined')
    expect(whyNot(ended({ end: 'declined' }, leg('me', 'ended'), leg('bo', 'ended')), 'me')).toBe('declined')
    expect(whyNot(ended({ end: 'cancelled' }), 'me')).toBe('self_cancelled')
    expect(whyNot(ended({ end: 'cancelled', created_by: bo }), 'me')).toBe('cancelled')
    expect(whyNot(ended({ end: 'preempted', answered_at: 'x' }), 'me')).toBeUndefined()
  })

  it('show a face for everybody who is in it, with a picture or without', () => {
    const shot = (identity: string, local = false) => ({ identity, name: identity, local })
    const three = call('a', [leg('me', 'answered'), leg('bo', 'answered'), leg('cy', 'answered'), leg('di', 'ringing')])
    const shown = faces(three, here, [shot('bo:T'), shot(here, true)])
    expect(shown.map(one => [one.name, one.shot !== undefined])).toEqual([
      ['BO', true],
      ['CY', false],
      [here, true],
    ])
    expect([1, 2, 4, 5, 9].map(columnsOf)).toEqual([1, 2, 2, 3, 3])
  })
})
