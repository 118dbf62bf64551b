import { describe, expect, it } from 'vitest'
import {
  answeredAfter,
  arranged,
  byOrganisation,
  candidates,
  current,
  following,
  left,
  type RollCall,
  type RollEntry,
  unrepresented,
  withRollEvent,
} from './rollcalls.model'

function entry(position: number, more: Partial<RollEntry> = {}): RollEntry {
  return {
    position,
    person_id: `p${position}`,
    seat_id: null,
    org_id: 'o',
    org_name: '应急管理局',
    name: `人${position}`,
    post: '值班员',
    state: 'waiting',
    called_at: null,
    answered_at: null,
    closed_at: null,
    times: 0,
    ...more,
  }
}

const roll: RollCall = {
  id: 'r',
  kind: 'sequence',
  state: 'live',
  title: '防汛会商',
  consultation_id: 'c',
  led_by: { id: 'x', name: '主持', org_name: '市' },
  created_at: '2026-01-01T00:00:00.000Z',
  phase: 'called',
  at: 0,
  until: '2026-01-01T00:00:10.000Z',
  answer_seconds: 10,
  limit_seconds: 60,
  rev: 3,
  counts: {},
  may: ['next'],
  entries: [entry(0, { state: 'called' }), entry(1), entry(2)],
}

describe('roll calls', () => {
  it('shows whose turn it is and who of those who are there comes next', () => {
    expect(current(roll)?.name).toBe('人0')
    expect(current({ ...roll, phase: 'idle' })).toBeUndefined()
    expect(following(roll, new Set(['p0', 'p2']))?.name).toBe('人2')
    expect(following(roll, new Set())).toBeUndefined()
  })

  it('counts down by the hub’s time', () => {
    expect(left(roll, Date.parse('2026-01-01T00:00:04.000Z'))).toBe(6000)
    expect(left(roll, Date.parse('2026-01-01T00:01:00.000Z'))).toBe(0)
    expect(left({ until: null }, 0)).toBeUndefined()
  })

  it('takes in events in order and asks for the whole when one is missing', () => {
    const { entries: _, ...head } = roll
    const news = (rev: number) => ({
      roll_call: { ...head, rev, at: 1, may: ['next', 'end'] },
      entries: [entry(0, { state: 'done' }), entry(1, { state: 'called' })],
    })
    const next = withRollEvent(roll, news(4))
    expect(next?.entries.map(one => one.state)).toEqual(['done', 'called', 'waiting'])
    expect(next?.may).toEqual(['next', 'end'])
    expect(withRollEvent({ ...roll, may: [] }, news(4))?.may).toEqual([])
    expect(withRollEvent(roll, news(3))).toBe(roll)
    expect(withRollEvent(roll, news(5))).toBeUndefined()
    expect(withRollEvent(roll, { nonsense: 1 })).toBe(roll)
  })

  it('calls whom the agenda names, in its order, whoever else is there, and says who is missing', () => {
    const plan = {
      organisations: [{ name: '水务局', short: '水务' }, { name: '公安局' }],
      people: [
        { id: 'b', name: '乙', org_name: '应急管理局' },
        { id: 'me', name: '我', org_name: '应急管理局' },
        { id: 'w', name: '丙', org_name: '水务局' },
      ],
    }
    const here = [
      { identity: 'me:1', name: '我', org: '应急管理局' },
      { identity: 'x:1', name: '丁', org: '消防' },
      { identity: 'v:1', name: '戊', org: '水务' },
      { identity: 'v:2', name: '戊', org: '水务' },
    ]
    const found = candidates(here, plan, 'me')
    expect(found.map(one => [one.id, one.there])).toEqual([
      ['w', false],
      ['v', true],
      ['b', false],
      ['x', true],
    ])
    expect(unrepresented(found, plan)).toEqual(['公安局'])
    expect(arranged(found, ['x', 'gone', 'w']).map(one => one.id)).toEqual(['x', 'w', 'v', 'b'])
  })

  it('puts organisations with trouble first', () => {
    const found = byOrganisation([
      entry(0, { org_id: 'a', state: 'present' }),
      entry(1, { org_id: 'b', state: 'late' }),
      entry(2, { org_id: 'b', state: 'present' }),
    ])
    expect(found.map(org => [org.org_id, org.well, org.entries.length])).toEqual([
      ['b', 1, 2],
      ['a', 1, 1],
    ])
  })

  it('says how long an answer took', () => {
    const at = '2026-01-01T00:00:00.000Z'
    expect(answeredAfter(entry(0, { called_at: at, answered_at: '2026-01-01T00:00:02.500Z' }))).toBe(2.5)
    expect(answeredAfter(entry(0, { called_at: at }))).toBeUndefined()
  })
})
