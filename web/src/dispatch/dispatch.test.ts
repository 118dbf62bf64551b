import { describe, expect, it } from 'vitest'
import {
  type Act,
  above,
  type Line,
  named,
  nothing,
  putAway,
  readAct,
  said,
  toldOf,
  withAct,
  withRunning,
} from './dispatch.model'

const person = (id: string) => ({ id, name: id.toUpperCase(), org_name: '' })

function act(id: string, verb: Act['verb'], more: Partial<Act> = {}): Act {
  return {
    id,
    verb,
    line: { kind: 'call', id: 'C', title: '' },
    actor: person('boss'),
    target: person('me'),
    reason: 'R',
    silent: false,
    told: [person('me'), person('bo')],
    began_at: '2026-01-01T00:00:00Z',
    ended_at: null,
    end: null,
    ...more,
  }
}

describe('forced verbs on a page', () => {
  it('shows to whom it concerns what goes on, until it ends', () => {
    const one = withAct(nothing, act('1', 'monitor'), 'me')
    expect(one.running.map(a => a.id)).toEqual(['1'])
    expect(withAct(one, act('1', 'monitor'), 'me')).toEqual(one)
    expect(withAct(one, act('1', 'monitor', { ended_at: 'x' }), 'me')).toEqual(nothing)
    expect(withAct(nothing, act('1', 'monitor'), 'stranger')).toEqual(nothing)
    expect(withAct(nothing, act('1', 'monitor', { told: [], silent: true }), 'me')).toEqual(nothing)
  })

  it('gives the one who does it a line of their own', () => {
    const mine = withAct(nothing, act('1', 'whisper'), 'boss')
    expect([mine.mine.map(a => a.id), mine.running]).toEqual([['1'], []])
    expect(withAct(mine, act('1', 'whisper', { ended_at: 'x' }), 'boss')).toEqual(nothing)
    expect(withAct(nothing, act('1', 'release'), 'boss')).toEqual(nothing)
  })

  it('keeps what was done to somebody until it is put away', () => {
    const told = withAct(nothing, act('1', 'release'), 'me')
    expect(withRunning(told, [act('2', 'monitor')], 'me')).toEqual({ ...told, running: [act('2', 'monitor')] })
    expect(putAway(told, '1')).toEqual(nothing)
    expect(['2', '3', '4'].reduce((now, id) => withAct(now, act(id, 'barge'), 'me'), told).notices).toHaveLength(3)
  })

  it('says of a group what is done to all of it, and of one member what is done to them', () => {
    expect([said('release', 'group'), said('release', 'group', true), said('release', 'call', true)]).toEqual([
      'releaseGroup',
      'putOut',
      'release',
    ])
    expect([said('monitor', 'group'), said('whisper', 'group'), said('barge', undefined)]).toEqual([
      'monitorGroup',
      'whisper',
      'barge',
    ])
    expect([toldOf('releaseGroup'), toldOf('putOut'), toldOf('preempt')]).toEqual([undefined, 'putOut', 'preempt'])
  })

  it('names the first of many and says how many there are', () => {
    const fifty = Array.from({ length: 50 }, (_, i) => person(`p${i}`))
    expect(named(fifty, 2)).toEqual({ names: 'P0、P1', count: 50, more: true })
    expect(named([person('a')])).toEqual({ names: 'A', count: 1, more: false })
  })

  it('knows what a call needs to end a line', () => {
    const line: Line = { kind: 'call', id: 'C', title: '', people: [], priority: 3, emergency: false }
    expect([above(line), above({ ...line, priority: 9 }), above({ ...line, emergency: true }), above(null)]).toEqual([
      4,
      undefined,
      undefined,
      undefined,
    ])
    expect([readAct({ id: 'x' }), readAct(act('1', 'barge'))?.id]).toEqual([undefined, '1'])
  })
})
