import { describe, expect, it } from 'vitest'
import { type Binding, bindings, findBinding, hintFor, keyCap, strokeName } from './keys.model'
import { clockTime, dayGroup, duration, longDuration, minutesSince } from './time.model'

const all: readonly Binding[] = bindings
const plain = { altKey: false, ctrlKey: false, metaKey: false, shiftKey: false }

describe('keys', () => {
  it('gives no stroke two meanings in one scope', () => {
    const seen = all.flatMap(b => b.strokes.map(stroke => `${b.scope} ${stroke}`))
    expect(new Set(seen).size).toBe(seen.length)
  })

  it('gives an action one entry', () => {
    expect(new Set(all.map(b => b.action)).size).toBe(all.length)
  })

  it('does not act on letters while somebody types, but answers and leaves', () => {
    expect(findBinding(['everywhere', 'room'], 'KeyM', 'text')).toBeUndefined()
    expect(findBinding(['everywhere', 'room'], 'KeyM', 'other')?.action).toBe('mic')
    expect(findBinding(['everywhere', 'room'], 'F4', 'text')?.action).toBe('leave')
    expect(findBinding(['everywhere', 'consultations', 'ring'], 'F1', 'text')?.action).toBe('ringAccept')
  })

  it('leaves the space bar to a button that has the focus', () => {
    expect(findBinding(['player'], 'Space', 'button')).toBeUndefined()
    expect(findBinding(['player'], 'Space', 'other')?.action).toBe('play')
  })

  it('acts only in scopes that are open', () => {
    expect(findBinding(['everywhere', 'player'], 'KeyV', 'other')).toBeUndefined()
  })

  it('can switch single keys off without losing the others', () => {
    expect(findBinding(['room'], 'KeyM', 'other', false)).toBeUndefined()
    expect(findBinding(['room'], 'Alt+ArrowLeft', 'other', false)?.action).toBe('tileLeft')
  })

  it('names strokes and writes them on key caps', () => {
    expect(strokeName({ ...plain, code: 'Digit3', shiftKey: true })).toBe('Shift+Digit3')
    expect(['KeyM', 'Shift+KeyN', 'Alt+ArrowLeft', 'F4', 'Slash'].map(keyCap)).toEqual([
      'M',
      'Shift N',
      'Alt ←',
      'F4',
      '/',
    ])
    expect(hintFor('leave')).toBe('F4')
    expect(hintFor('nothing')).toBeUndefined()
  })
})

describe('times', () => {
  it('writes durations', () => {
    expect([0, 42_000, 2_530_000, 4_325_000].map(duration)).toEqual(['00:00', '00:42', '42:10', '01:12:05'])
    expect(longDuration(2_530_000)).toBe('00:42:10')
    expect(longDuration(-5)).toBe('00:00:00')
  })

  it('writes times of day and days', () => {
    const noon = new Date(2026, 6, 13, 12, 5, 9).getTime()
    expect(clockTime(noon)).toBe('12:05:09')
    expect(dayGroup(noon, noon)).toBe('today')
    expect(dayGroup(noon - 86_400_000, noon)).toBe('yesterday')
    expect(dayGroup(noon - 3 * 86_400_000, noon)).toBe('2026-07-10')
    expect(minutesSince(noon, noon + 119_000)).toBe(1)
  })
})
