import { describe, expect, it } from 'vitest'
import {
  afterEvent,
  afterWord,
  beside,
  type Emergency,
  emergenciesShown,
  type FloorWord,
  forced,
  type Group,
  letGo,
  loudness,
  type Member,
  membersShown,
  ordered,
  quick,
  quiet,
  readFloor,
  type Speaker,
  selectedOf,
  speaks,
  spokesman,
  talkOf,
  withGroup,
  type You,
} from './groups.model'

const group = (id: string, more: Partial<Group> = {}): Group => ({
  id,
  kind: 'fixed',
  name: id,
  org: { id: 'o', name: 'O' },
  priority: 3,
  live: false,
  live_since: null,
  affiliated: true,
  selected: false,
  talks: true,
  floor: quiet,
  emergency: null,
  patches: [],
  members: [],
  groups: [],
  rev: 1,
  ...more,
})

const speaker = (id: string, level: number, emergency = false): Speaker => ({
  id,
  name: id,
  org_name: 'O',
  level,
  emergency,
})

const word = (you: You, more: Partial<FloorWord> = {}): FloorWord => ({
  group: 'a',
  state: 'taken',
  holder: speaker('bo', 5),
  queue: [],
  until: '2026-01-01T00:00:30.000Z',
  you,
  place: 0,
  reason: '',
  by: null,
  ...more,
})

const heard = (you: You, more: Partial<FloorWord> = {}) => ({ line: 'in' as const, floor: word(you, more) })

describe('groups', () => {
  it('stand by kind and name; the first nine that are listened to have a key', () => {
    const all = [
      group('z'),
      group('b', { kind: 'broadcast' }),
      group('a'),
      group('t', { kind: 'temporary', affiliated: false }),
    ]
    expect(ordered(all).map(one => one.id)).toEqual(['a', 'z', 't', 'b'])
    expect(quick(all).map(one => one.id)).toEqual(['a', 'z', 'b'])
    expect(quick(Array.from({ length: 12 }, (_, i) => group(`g${i}`)))).toHaveLength(9)
  })

  it('one is talked in: what was chosen here, what the hub says, the only one', () => {
    const [a, b] = [group('a'), group('b', { selected: true })]
    expect(selectedOf([a, b], 'a')?.id).toBe('a')
    expect(selectedOf([a, b], undefined)?.id).toBe('b')
    expect(selectedOf([a], undefined)?.id).toBe('a')
    expect(selectedOf([a, group('c')], undefined)).toBeUndefined()
    expect(selectedOf([group('a', { affiliated: false })], 'a')).toBeUndefined()
  })

  it('a newer picture keeps the members of an older whole one; an older one changes nothing', () => {
    const whole = group('a', { rev: 2, members: [{ id: 'p' } as Member] })
    expect(withGroup([whole], group('a', { rev: 1, name: 'old' }))[0]?.name).toBe('a')
    expect(withGroup([whole], group('a', { rev: 3, name: 'new' }))[0]).toMatchObject({
      name: 'new',
      members: [{ id: 'p' }],
    })
    expect(withGroup([whole], group('b')).map(one => one.id)).toEqual(['a', 'b'])
  })
})

describe('the talk key', () => {
  it('shows what the floor means for this page', () => {
    const a = group('a')
    expect(talkOf(undefined, undefined, false)).toEqual({ at: 'none' })
    expect(talkOf(group('a', { talks: false }), undefined, true)).toEqual({ at: 'listener' })
    expect(talkOf(a, undefined, false)).toEqual({ at: 'idle' })
    expect(talkOf(a, undefined, true)).toEqual({ at: 'asking' })
    expect(talkOf(a, heard('idle'), false)).toMatchObject({ at: 'other', holder: { id: 'bo' } })
    expect(talkOf(a, heard('queued', { place: 2 }), true)).toMatchObject({ at: 'queued', place: 2 })
    expect(talkOf(a, heard('granted'), true)).toMatchObject({ at: 'mine', ending: false, until: 1767225630000 })
    expect(talkOf(a, heard('pending_revoke'), true)).toMatchObject({ at: 'mine', ending: true })
    expect(talkOf(a, heard('refused', { reason: 'queue_full' }), true)).toEqual({ at: 'refused', reason: 'queue_full' })
    expect(talkOf(a, heard('refused', { holder: null }), false)).toEqual({ at: 'idle' })
  })

  it('opens the microphone with the floor and the key down, never else', () => {
    expect(speaks(heard('granted'), true)).toBe(true)
    expect(speaks(heard('granted'), false)).toBe(false)
    expect(speaks(heard('queued'), true)).toBe(false)
    expect(speaks({ ...heard('granted'), line: 'lost' }, true)).toBe(false)
    expect(speaks(undefined, true)).toBe(false)
  })

  it('gives back what it has when it is let go', () => {
    expect(letGo(heard('granted'))).toBe('release')
    expect(letGo(heard('queued'))).toBe('queue_leave')
    expect(letGo(heard('idle'))).toBeUndefined()
  })

  it('may take the floor from a lower level only, and never in an emergency', () => {
    const me = { id: 'me', level: 4 }
    const floor = (holder: Speaker | null) => ({ ...quiet, holder })
    expect(forced(floor(speaker('bo', 5)), me, true, true)).toEqual({ override: true, revoke: true })
    expect(forced(floor(speaker('bo', 4)), me, true, true)).toEqual({ override: false, revoke: false })
    expect(forced(floor(speaker('bo', 5, true)), me, true, true)).toEqual({ override: false, revoke: false })
    expect(forced(floor(speaker('bo', 5)), me, false, true)).toEqual({ override: false, revoke: true })
    expect(forced(floor(null), me, true, true)).toEqual({ override: false, revoke: false })
  })

  it('reads what the hub says; a refusal without the floor keeps what was known of it', () => {
    expect(readFloor({ type: 'floor', group: 'a' })).toBeUndefined()
    const refused = readFloor({ type: 'floor', group: 'a', you: 'refused', reason: 'no_call' })
    expect(refused).toMatchObject({ you: 'refused', reason: 'no_call', holder: null })
    expect(refused && afterWord(word('idle'), refused, false)).toMatchObject({ you: 'refused', holder: { id: 'bo' } })
    expect(refused && afterWord(word('idle'), refused, true).holder).toBeNull()
  })
})

describe('events of the floor', () => {
  const said = (person: string) => ({ person, name: person, level: 5, emergency: false })

  it('say who talks and who waits in groups one is not in', () => {
    const granted = afterEvent(group('a'), 'floor.granted', said('bo'))
    expect(granted).toMatchObject({ live: true, floor: { state: 'taken', holder: { id: 'bo' }, queue: [] } })
    const queued = afterEvent(granted, 'floor.queued', said('cy'))
    expect(queued.floor.queue.map(one => one.id)).toEqual(['cy'])
    const next = afterEvent(queued, 'floor.granted', said('cy'))
    expect(next.floor).toMatchObject({ holder: { id: 'cy' }, queue: [] })
    expect(afterEvent(next, 'floor.idle', said('bo')).floor.holder?.id).toBe('cy')
    expect(afterEvent(next, 'floor.revoked', said('cy')).floor).toMatchObject({ state: 'idle', holder: null })
    expect(afterEvent(next, 'floor.idle', {})).toBe(next)
  })
})

describe('what is heard', () => {
  it('is as loud as it was set, and 15 dB lower beside the selected one', () => {
    expect(loudness(undefined, true)).toBe(1)
    expect(loudness({ level: 0.5, muted: false }, false)).toBeCloseTo(0.5 * beside)
    expect(beside).toBeCloseTo(0.178, 3)
    expect(loudness({ level: 1, muted: true }, true)).toBe(0)
  })

  it('members: who is there first, then who listens, the highest level first', () => {
    const member = (id: string, present: boolean, affiliated: boolean, level: number) =>
      ({ id, name: id, present, affiliated, level }) as Member
    const all = [
      member('c', false, false, 1),
      member('b', false, true, 2),
      member('a', true, true, 9),
      member('d', true, true, 3),
    ]
    expect(membersShown(all).map(one => one.id)).toEqual(['d', 'a', 'b', 'c'])
    const talks = { ...quiet, holder: { id: 'a', name: 'a', org_name: '', level: 9, emergency: false } }
    expect([spokesman(all, talks, ''), spokesman(all, quiet, ''), spokesman(all, talks, 'a')].map(m => m?.id)).toEqual([
      'a',
      'd',
      'd',
    ])
    expect(spokesman(all.slice(0, 2), quiet, '')).toBeUndefined()
  })

  it('emergencies: the unanswered first, none that is over', () => {
    const one = (id: string, at: string, more: Partial<Emergency>) =>
      ({ id, at, acknowledged_at: null, cancelled_at: null, ...more }) as Emergency
    const all = [
      one('a', '3', { acknowledged_at: '4' }),
      one('b', '1', {}),
      one('c', '2', {}),
      one('d', '5', { cancelled_at: '6' }),
    ]
    expect(emergenciesShown(all).map(e => e.id)).toEqual(['c', 'b', 'a'])
  })
})
