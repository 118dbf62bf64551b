import { describe, expect, it } from 'vitest'
import { fullness, isGone, quotaBytes, sizeText } from './keeping.model'

describe('what recordings take', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KB'],
    [1536, '1.5 KB'],
    [64 * 1024 ** 2, '64 MB'],
    [1.23 * 1024 ** 4, '1.23 TB'],
    [-5, '0 B'],
  ])('%d bytes are %s', (bytes, text) => expect(sizeText(bytes)).toBe(text))

  it.each([
    ['', null],
    ['0', 0],
    ['1', 1024 ** 3],
    ['0.5', 512 * 1024 ** 2],
    ['1,5', 1.5 * 1024 ** 3],
    ['-1', undefined],
    ['1e9', undefined],
    ['一', undefined],
  ])('%s GB', (text, bytes) => expect(quotaBytes(text)).toBe(bytes))

  it('a bar is never longer than it can be', () => {
    expect(fullness(300, 100)).toBe(100)
    expect(fullness(5, 0)).toBe(0)
    expect(fullness(25, 100)).toBe(25)
  })

  it('a tombstone is there from the decision on', () => {
    const blank = { rev: 0, until: null, expires_at: null, request: null, tombstone: null }
    expect(isGone({ ...blank, state: 'deleting' })).toBe(true)
    expect(isGone({ ...blank, state: 'asked' })).toBe(false)
    expect(isGone(undefined)).toBe(false)
  })
})
