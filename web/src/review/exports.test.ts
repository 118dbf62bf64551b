import { describe, expect, it } from 'vitest'
import { clockText, parseClock, spanOf } from './exports.model'

describe('times of a clip', () => {
  it.each([
    ['00:00:05.0', 5000],
    ['1:02:03.4', 3_723_400],
    ['02:03', 123_000],
    ['3.5', 3500],
    ['90', 90_000],
    ['００', undefined],
    ['1:75', undefined],
    ['1:60:00', undefined],
    ['-1', undefined],
    ['', undefined],
    ['1：30', 90_000],
  ])('%s', (text, ms) => expect(parseClock(text)).toBe(ms))

  it.each([0, 100, 59_900, 3_599_900, 36_000_000])('%d ms is written as it is read', ms =>
    expect(parseClock(clockText(ms))).toBe(ms),
  )

  it('a clip ends after it begins and lies within the recording', () => {
    expect(spanOf('0:01', '0:03', 60_000)).toEqual({ from: 1000, to: 3000 })
    expect(spanOf('0:01', '9:59', 60_000)).toEqual({ from: 1000, to: 60_000 })
    expect(spanOf('0:03', '0:01', 60_000)).toBe('order')
    expect(spanOf('2:00', '3:00', 60_000)).toBe('from')
    expect(spanOf('x', '3:00', 60_000)).toBe('from')
    expect(spanOf('0:01', 'x', 60_000)).toBe('to')
  })
})
