import { describe, expect, it } from 'vitest'
import { type LinkTest, light, report, rows } from './linktests.model'

const last = (id: string, state: LinkTest['state']) => ({ org: { id, name: id }, state }) as unknown as LinkTest

describe('link tests', () => {
  it('have a light, and none when nothing is known', () => {
    expect((['well', 'weak', 'failed', 'offline', 'busy', 'untestable', 'running'] as const).map(light)).toEqual([
      'green',
      'yellow',
      'red',
      'red',
      'grey',
      'grey',
      'grey',
    ])
    expect(light(undefined)).toBe('grey')
  })

  it('put trouble first', () => {
    const orgs = ['a', 'b', 'c', 'd'].map(id => ({ id, name: id }))
    const found = rows(orgs, [last('a', 'well'), last('b', 'weak'), last('d', 'offline')])
    expect(found.map(row => row.org.id)).toEqual(['d', 'b', 'c', 'a'])
  })

  it('report what was measured', () => {
    const measured = {
      framesSent: 60,
      framesReceived: 55,
      packetsReceived: 95,
      packetsLost: 5,
      soundReceived: 300,
      roundTrips: [0.01, 0.03],
      levels: [0, 0.2],
    }
    expect(report(measured)).toMatchObject({ joined: true, loss: 0.05, round_trip: 20, microphone: 0.2 })
    expect(report({ ...measured, levels: null, roundTrips: [], packetsLost: -1 })).toMatchObject({
      loss: 0,
      round_trip: 0,
      microphone: null,
    })
  })
})
