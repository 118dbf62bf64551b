import { describe, expect, it } from 'vitest'
import { fromList, withEvent } from './recorded.model'

const event = (type: string, state: unknown, subject: string | null = 'C1') => ({ type, subject, data: { state } })

describe('what is recorded', () => {
  it('follows what the hub says', () => {
    let now = fromList([{ kind: 'camera', subject: 'K1', state: 'recording' }])
    now = withEvent(now, event('call.recording', 'recording'))
    expect(now).toEqual({ K1: 'recording', C1: 'recording' })
    now = withEvent(now, event('call.recording', 'paused'))
    expect(now.C1).toBe('paused')
    expect(withEvent(now, event('call.recording', 'off'))).toEqual({ K1: 'recording' })
  })

  it('leaves out what it does not know', () => {
    const now = fromList([])
    expect(withEvent(now, event('call.held', 'recording'))).toBe(now)
    expect(withEvent(now, event('call.recording', 'invented'))).toBe(now)
    expect(withEvent(now, event('call.recording', 'recording', null))).toBe(now)
    expect(withEvent(now, { type: 'call.recording', subject: 'C1', data: null })).toBe(now)
  })
})
