import { describe, expect, it } from 'vitest'
import {
  type AgendaItem,
  byDay,
  chinaDay,
  chinaMoment,
  chinaTime,
  chinaWeekday,
  enterable,
  nextHalfHour,
  type Occurrence,
  repeatWord,
  tally,
} from './agenda.model'

const one: Occurrence = {
  item_id: 'i',
  at: 1,
  title: '例会',
  starts_at: '2026-11-23T17:00:00.000Z',
  ends_at: '2026-11-23T18:00:00.000Z',
  enters_at: '2026-11-23T16:50:00.000Z',
  label: 'internal',
  host: { id: 'h', name: '周明远', org_name: '中心' },
  cancelled: false,
  moved: false,
  series: false,
  state: 'planned',
  consultation_id: null,
  reply: null,
}

describe('the agenda', () => {
  it('has China’s days and times', () => {
    expect([chinaDay(one.starts_at), chinaTime(one.starts_at), chinaWeekday(one.starts_at)]).toEqual([
      '2026-11-24',
      '01:00',
      1,
    ])
    expect(chinaMoment('2026-11-24', '01:00')).toBe('2026-11-24T01:00:00+08:00')
    expect(chinaMoment('2026-11-24', '')).toBeUndefined()
    expect(nextHalfHour(Date.parse('2026-11-23T16:59:30Z'))).toBe('2026-11-23T17:30:00.000Z')
  })

  it('is grouped by day in order', () => {
    const early = { ...one, starts_at: '2026-11-23T15:00:00.000Z' }
    expect(byDay([one, early]).map(day => [day.day, day.items.length])).toEqual([
      ['2026-11-23', 1],
      ['2026-11-24', 1],
    ])
  })

  it('lets people in from some minutes before until it is over', () => {
    const at = (text: string) => Date.parse(text)
    expect(enterable(one, at('2026-11-23T16:49:59Z'))).toBe(false)
    expect(enterable(one, at('2026-11-23T16:50:00Z'))).toBe(true)
    expect(enterable(one, at('2026-11-23T18:00:00Z'))).toBe(false)
    expect(enterable({ ...one, state: 'started' }, at('2026-11-23T18:30:00Z'))).toBe(true)
    expect(enterable({ ...one, cancelled: true }, at('2026-11-23T17:00:00Z'))).toBe(false)
  })

  it('says how it repeats and who comes', () => {
    expect(repeatWord({ frequency: 'weekly', interval: 1, days: [], count: 0, until: null })).toBe('weekly')
    expect(repeatWord({ frequency: 'weekly', interval: 2, days: [], count: 0, until: null })).toBe('everyWeeks')
    const reply = (id: string, said: 'accepted' | 'declined', at: number | null) => ({
      person: { id, name: id, org_name: '' },
      reply: said,
      comment: '',
      at,
      replied_at: '',
    })
    const item = {
      replies: [reply('a', 'declined', 1), reply('a', 'accepted', null), reply('b', 'accepted', null)],
    } as unknown as AgendaItem
    expect(tally(item, 1)).toEqual({ accepted: 1, declined: 1, tentative: 0 })
    expect(tally(item, 2)).toEqual({ accepted: 2, declined: 0, tentative: 0 })
  })
})
