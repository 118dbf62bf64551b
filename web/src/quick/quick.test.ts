import { describe, expect, it } from 'vitest'
import type { Hit } from '../directory/directory.model'
import { found, leaves, moved, type Sources, steady } from './quick.model'

const org = { id: 'o', name: '应急管理局', short: '应急局' }
const hit = (id: string, more: Partial<Hit> = {}): Hit => ({
  kind: 'person',
  id,
  name: id,
  about: '值班员',
  org,
  owner: null,
  endpoint: null,
  online: true,
  ...more,
})
const group = (id: string, name: string, more = {}) => ({
  id,
  name,
  kind: 'fixed',
  live: false,
  affiliated: true,
  org,
  ...more,
})
const host = { id: 'h', name: '周', org_name: '中心' }
const sources: Sources = {
  consultations: [
    { id: 'c1', title: '防汛会商', code: '1001', host, locked: false },
    { id: 'c2', title: '消防演练', code: '1002', host, locked: true },
    { id: 'c3', title: '防汛复盘', code: '1003', host, locked: false, may: [] },
  ],
  groups: [
    group('g1', '防汛一组'),
    group('g2', '防汛二组', { live: true }),
    group('g3', '防汛', { affiliated: false }),
  ],
  entries: [hit('me'), hit('p'), hit('s', { kind: 'seat' }), hit('org', { kind: 'organisation' })],
  cameras: [{ id: 'k', name: '防汛广场', place: '江边', org }],
}
const may = { me: 'me', call: true }

describe('quick search', () => {
  it('finds by characters and initials, and says what Enter does', () => {
    const rows = found(sources, 'fx', may).map(one => [one.key, one.act])
    expect(rows).toEqual([
      ['consultation c1', 'join'],
      ['consultation c3', 'open'],
      ['group g2', 'talk'],
      ['group g1', 'talk'],
      ['group g3', 'open'],
      ['entry me', 'open'],
      ['entry p', 'call'],
      ['entry s', 'call'],
      ['entry org', 'open'],
      ['camera k', 'open'],
    ])
    expect(found(sources, '1002', may)[0]?.id).toBe('c2')
    expect(found({ ...sources, consultations: [], groups: [] }, 'p', { ...may, call: false })[1]?.act).toBe('open')
  })

  it('shows without a question what goes on and the groups one listens to', () => {
    const rows = found({ ...sources, entries: [], cameras: [] }, ' ', may)
    expect(rows.map(one => one.id)).toEqual(['c1', 'c2', 'c3', 'g2', 'g1'])
  })

  it('names who owns a number, and each of them once', () => {
    const owner = { kind: 'person' as const, id: 'p', name: '陈' }
    const number = hit('e', { kind: 'endpoint', name: '138****', owner, endpoint: 'phone' })
    const only = found({ ...sources, consultations: [], groups: [], cameras: [], entries: [number] }, '138', may)
    expect(only.map(one => [one.name, one.act])).toEqual([['陈', 'call']])
    const both = found(
      { ...sources, consultations: [], groups: [], cameras: [], entries: [hit('p'), number] },
      'x',
      may,
    )
    expect(both.map(one => one.id)).toEqual(['p'])
  })

  it('bounds each kind, and goes round', () => {
    const many = Array.from({ length: 30 }, (_, n) => hit(`p${n}`))
    expect(found({ ...sources, entries: many }, 'x', may).filter(one => one.kind === 'entry')).toHaveLength(8)
    expect([moved(0, -1, 3), moved(2, 1, 3), moved(0, 1, 0)]).toEqual([2, 0, 0])
  })

  it('does nothing with a first row that may not stay the first', () => {
    const rows = found(sources, '防汛', may)
    const first = (kind: string) => rows.find(one => one.kind === kind)
    const both = { entries: true, cameras: true }
    expect(['consultation', 'group', 'entry', 'camera'].map(kind => steady(first(kind), both))).toEqual([
      true,
      true,
      false,
      false,
    ])
    const people = { entries: false, cameras: true }
    expect([steady(first('entry'), people), steady(first('camera'), people)]).toEqual([true, false])
  })

  it('says what would leave the room one is in', () => {
    const [c1, c2] = found(sources, '', may)
    const camera = found(sources, '防汛', may).find(one => one.kind === 'camera')
    if (!c1 || !c2 || !camera) throw new Error('not found')
    expect([leaves(c1, 'join', '/room/c1'), leaves(c2, 'join', '/room/c1'), leaves(c2, 'join', '/cameras')]).toEqual([
      false,
      true,
      false,
    ])
    expect([leaves(camera, 'open', '/room/c1'), leaves(camera, 'call', '/room/c1')]).toEqual([true, false])
  })
})
