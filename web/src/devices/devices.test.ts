import { describe, expect, it } from 'vitest'
import type { Device } from '../hub/cameraTypes'
import { isCode, progress, sorted, spaced } from './devices.model'

const device = (id: string, state: Device['state'], name = id) => ({ id, state, name, code: id }) as Device

describe('devices', () => {
  it('that wait come first, refused ones last', () => {
    const all = [
      device('a', 'refused'),
      device('b', 'admitted'),
      device('c', 'quarantine'),
      device('d', 'admitted', '啊'),
    ]
    expect(sorted(all).map(one => one.id)).toEqual(['c', 'd', 'b', 'a'])
  })
  it('tell how much of their catalogue has come, when they say how much there is', () => {
    const part = (received: number, total: number) => progress({ state: 'running', received, total, at: null })
    expect([part(0, 0), part(50, 200), part(300, 200)]).toEqual([undefined, 0.25, 1])
  })
  it('have codes of 20 digits', () => {
    expect([isCode('34020000001320000001'), isCode('3402'), isCode('3402000000132000000x')]).toEqual([
      true,
      false,
      false,
    ])
    expect(spaced('34020000001320000001')).toBe('34020000 00132 0000001')
  })
})
