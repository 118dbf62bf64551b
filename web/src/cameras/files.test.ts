import { describe, expect, it } from 'vitest'
import { fieldOf, firstSpan, longest, momentOf, moved, problemOf, sizeText, spanned, turnedTo } from './files.model'

const at = (text: string) => new Date(text).getTime()
const recording = (start: string, end: string) => ({ start, end, kind: 'time' as const, size: null })

describe('a span on the strip', () => {
  const span = { from: 600_000, to: 1_200_000 }
  const until = 9_000_000

  it('is drawn in either direction, in whole seconds, and never empty', () => {
    expect(spanned(5500, 1700, until)).toEqual({ from: 1000, to: 5000 })
    expect(spanned(5500, 5600, until)).toEqual({ from: 4000, to: 5000 })
    expect(spanned(8_000_000, 10_000_000, until)).toEqual({ from: 8_000_000, to: until })
    expect(spanned(9_500_000, 10_000_000, until)).toEqual({ from: until - 1000, to: until })
  })

  it('is marked at its ends, ten minutes long where the other end is not there', () => {
    expect(turnedTo(undefined, 'from', 600_000, until)).toEqual(span)
    expect(turnedTo(undefined, 'to', 1_200_000, until)).toEqual(span)
    expect(turnedTo(span, 'to', 1_500_000, until)).toEqual({ from: 600_000, to: 1_500_000 })
    expect(turnedTo(span, 'from', 2_000_000, until)).toEqual({ from: 2_000_000, to: 2_600_000 })
  })

  it('keeps its ends in order when one of them is moved', () => {
    expect(moved(span, 'from', 10_000, until)).toEqual({ from: 610_000, to: 1_200_000 })
    expect(moved(span, 'from', 999_000, until)).toEqual({ from: 1_199_000, to: 1_200_000 })
    expect(moved(span, 'to', -999_000, until)).toEqual({ from: 600_000, to: 601_000 })
    expect(moved({ from: 600_000, to: until }, 'to', 10_000, until).to).toBe(until)
  })
})

describe('what is offered for download', () => {
  const recordings = [
    recording('2025-11-22T08:00:00Z', '2025-11-22T09:00:00Z'),
    recording('2025-11-22T06:00:00Z', '2025-11-22T07:00:00Z'),
  ]
  const now = at('2025-11-22T12:00:00Z')

  it('is ten minutes from where one looks, within the recording', () => {
    const here = firstSpan(recordings, at('2025-11-22T06:10:00.700Z'), now)
    expect(here).toEqual({ from: at('2025-11-22T06:10:00Z'), to: at('2025-11-22T06:20:00Z') })
    expect(firstSpan(recordings, at('2025-11-22T06:55:00Z'), now).to).toBe(at('2025-11-22T07:00:00Z'))
  })

  it('is the end of the newest recording where nothing is looked at', () => {
    expect(firstSpan(recordings, now, now)).toEqual({
      from: at('2025-11-22T08:50:00Z'),
      to: at('2025-11-22T09:00:00Z'),
    })
    expect(firstSpan([], undefined, now)).toEqual({ from: now - 600_000, to: now })
  })

  it('is refused in words when it cannot be', () => {
    expect(problemOf({ from: 5000, to: 5000 }, now)).toBe('order')
    expect(problemOf({ from: Number.NaN, to: now }, now)).toBe('order')
    expect(problemOf({ from: now, to: now + 60_000 }, now)).toBe('future')
    expect(problemOf({ from: now - longest - 1000, to: now }, now)).toBe('long')
    expect(problemOf({ from: now - 60_000, to: now }, now)).toBeUndefined()
  })
})

it('date fields hold local time and give it back', () => {
  const moment = new Date(2025, 10, 2, 3, 4, 5).getTime()
  expect(fieldOf(moment)).toBe('2025-11-02T03:04:05')
  expect(momentOf(fieldOf(moment))).toBe(moment)
  expect(momentOf('')).toBeNaN()
})

it('sizes are short', () => {
  expect([0, 999, 1500, 12_345_678, 3_200_000_000].map(sizeText)).toEqual(['0 B', '999 B', '1.5 KB', '12 MB', '3.2 GB'])
})
