import { describe, expect, it } from 'vitest'
import { EventStream, type Link } from './events'
import { TestPlatform } from './testing'
import type { HubEvent } from './types'

function stream() {
  const platform = new TestPlatform()
  const seen: number[] = []
  const links: Link[] = []
  let resyncs = 0
  const events = new EventStream(platform, {
    event: event => seen.push(event.seq),
    resync: () => {
      resyncs += 1
    },
    transient: () => undefined,
    link: link => links.push(link),
  })
  events.start()
  const event = (seq: number) => platform.says({ type: 'event', event: { seq, type: 'x' } as HubEvent })
  return { platform, events, seen, links, event, resyncs: () => resyncs }
}

describe('event stream', () => {
  it('loads everything after the first hello and asks for nothing', () => {
    const s = stream()
    s.platform.says({ type: 'hello', seq: 7 })
    expect(s.resyncs()).toBe(1)
    expect(s.platform.socket.sent).toEqual([])
    expect(s.links.at(-1)).toEqual({ state: 'open' })
  })

  it('says a word only while somebody hears it', () => {
    const s = stream()
    expect(s.events.say({ type: 'move' })).toBe(false)
    s.platform.says({ type: 'hello', seq: 7 })
    expect(s.events.say({ type: 'move' })).toBe(true)
    expect(s.platform.socket.sent).toEqual([{ type: 'move' }])
    s.platform.socket.on.closed()
    expect(s.events.say({ type: 'move' })).toBe(false)
  })

  it('hands an event on once and never an older one', () => {
    const s = stream()
    s.platform.says({ type: 'hello', seq: 7 })
    for (const seq of [8, 8, 7, 9, 8, 10]) s.event(seq)
    expect(s.seen).toEqual([8, 9, 10])
  })

  it('asks for what it missed after a break', () => {
    const s = stream()
    s.platform.says({ type: 'hello', seq: 7 })
    s.event(8)
    s.platform.socket.on.closed()
    expect(s.links.at(-1)).toMatchObject({ state: 'lost', attempt: 1, nextAt: s.platform.time + 500 })
    s.platform.advance(500)
    s.platform.says({ type: 'hello', seq: 11 })
    expect(s.platform.socket.path).toBe('/events?after=8')
    for (const seq of [9, 10, 11, 12]) s.event(seq)
    expect(s.seen).toEqual([8, 9, 10, 11, 12])
    expect(s.resyncs()).toBe(1)
  })

  it('goes on from where the hub says when nothing of what it missed was for it', () => {
    const s = stream()
    s.platform.says({ type: 'hello', seq: 7 })
    s.platform.socket.on.closed()
    s.platform.advance(500)
    s.platform.says({ type: 'hello', seq: 9 })
    s.platform.says({ type: 'resumed', seq: 7 })
    s.event(10)
    expect(s.events.lastSeq).toBe(10)
    s.platform.socket.on.closed()
    s.platform.advance(500)
    s.platform.says({ type: 'hello', seq: 12 })
    s.platform.says({ type: 'resumed', seq: 10 })
    expect(s.events.lastSeq).toBe(12)
    expect(s.seen).toEqual([10])
    expect(s.resyncs()).toBe(1)
  })

  it('does not ask when nothing was missed', () => {
    const s = stream()
    s.platform.says({ type: 'hello', seq: 7 })
    s.platform.socket.on.closed()
    s.platform.advance(500)
    s.platform.says({ type: 'hello', seq: 7 })
    expect(s.platform.socket.sent).toEqual([])
  })

  it('loads everything again when the hub cannot resume, and goes on from there', () => {
    const s = stream()
    s.platform.says({ type: 'hello', seq: 7 })
    s.platform.socket.on.closed()
    s.platform.advance(500)
    s.platform.says({ type: 'hello', seq: 5000 })
    s.platform.says({ type: 'resync' })
    expect(s.resyncs()).toBe(2)
    s.event(4999)
    s.event(5001)
    expect(s.seen).toEqual([5001])
  })

  it('loads everything again when the hub counts from the beginning', () => {
    const s = stream()
    s.platform.says({ type: 'hello', seq: 70 })
    s.platform.socket.on.closed()
    s.platform.advance(500)
    s.platform.says({ type: 'hello', seq: 2 })
    expect(s.resyncs()).toBe(2)
    s.event(3)
    expect(s.seen).toEqual([3])
  })

  it('waits longer after every failure, 15 s at most, and keeps the time of the loss', () => {
    const s = stream()
    const began = s.platform.time
    const delays: number[] = []
    for (let i = 0; i < 8; i += 1) {
      s.platform.socket.on.closed()
      const link = s.links.at(-1)
      if (link?.state !== 'lost') throw new Error('should be lost')
      expect(link.since).toBe(began)
      delays.push(link.nextAt - s.platform.time)
      s.platform.advance(link.nextAt - s.platform.time)
    }
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000, 15000])
  })

  it('tries at once when asked to, and only one socket lives', () => {
    const s = stream()
    s.platform.socket.on.closed()
    s.events.retryNow()
    expect(s.platform.sockets).toHaveLength(2)
    s.platform.advance(60_000)
    expect(s.platform.sockets).toHaveLength(2)
  })

  it('ignores an old socket', () => {
    const s = stream()
    const first = s.platform.socket
    s.platform.says({ type: 'hello', seq: 1 })
    s.events.interrupted()
    s.events.retryNow()
    first.on.message(JSON.stringify({ type: 'event', event: { seq: 2, type: 'x' } }))
    first.on.closed()
    expect(s.seen).toEqual([])
    expect(s.platform.sockets).toHaveLength(2)
  })

  it('is not upset by what it cannot read', () => {
    const s = stream()
    s.platform.socket.on.message('{')
    s.platform.says([1])
    s.platform.says({ type: 'event' })
    s.platform.says({ type: 'event', event: { seq: 'x', type: 'x' } })
    expect(s.seen).toEqual([])
  })
})
