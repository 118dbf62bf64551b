import { describe, expect, it } from 'vitest'
import type { RecordedTrack, RecordingDetail } from '../hub/types'
import { correct, correctPaused, MasterClock, nextRate } from './clock.model'
import {
  currentEvent,
  eventLanes,
  itemText,
  joinSpans,
  jumpEvent,
  markItem,
  rooms,
  searchEvents,
  ticks,
  windowAround,
  windowFor,
  wordsAt,
} from './lanes.model'
import type { LaneItem, Mark } from './shapes.model'
import { playerLayout } from './stage.model'
import { defaultMain, gapAt, lengthOf, neededParts, playable, playerTiles, segmentAt } from './tracks.model'

describe('master clock', () => {
  it('runs at its speed, stands while it waits, stops at the end', () => {
    const clock = new MasterClock(60_000)
    clock.play(1000)
    expect(clock.position(3000)).toBe(2000)
    clock.setRate(3000, 2)
    expect(clock.position(4000)).toBe(4000)
    clock.hold(4000, true)
    expect(clock.position(9000)).toBe(4000)
    expect(clock.waiting).toBe(true)
    clock.hold(9000, false)
    expect(clock.position(10_000)).toBe(6000)
    clock.pause(10_000)
    expect(clock.position(99_000)).toBe(6000)
    clock.seek(99_000, 59_000)
    clock.play(99_000)
    expect(clock.position(200_000)).toBe(60_000)
  })

  it('begins again when played at the end, and never leaves the recording', () => {
    const clock = new MasterClock(1000)
    clock.seek(0, 99_999)
    expect(clock.position(0)).toBe(1000)
    clock.play(0)
    expect(clock.position(0)).toBe(0)
    clock.seek(0, -5)
    expect(clock.position(0)).toBe(0)
  })

  it('changes speed in steps', () => {
    expect([nextRate(1, 1), nextRate(1, -1), nextRate(4, 1), nextRate(8, 1), nextRate(0.25, -1)]).toEqual([
      1.25, 0.75, 8, 8, 0.25,
    ])
  })
})

describe('drift', () => {
  it('leaves 80 ms alone', () => {
    expect(correct(10_000, 10_080, 1, 1)).toEqual({ do: 'nothing' })
    expect(correct(10_000, 9_920, 1, 1)).toEqual({ do: 'nothing' })
  })

  it('catches up or waits by speed, and jumps when far off', () => {
    const slow = correct(10_000, 10_200, 1, 1)
    const fast = correct(10_000, 9_800, 1, 1)
    expect(slow.do === 'rate' && slow.rate).toBeCloseTo(0.8)
    expect(fast.do === 'rate' && fast.rate).toBeCloseTo(1.2)
    expect(correct(10_000, 8_000, 1, 1)).toEqual({ do: 'seek' })
  })

  it('goes on correcting until it is close, then returns to the speed of the clock', () => {
    expect(correct(10_000, 9_960, 1, 1.08).do).toBe('rate')
    expect(correct(10_000, 9_990, 1, 1.08)).toEqual({ do: 'rate', rate: 1 })
  })

  it('takes an element that plays at another speed to the speed of the clock', () => {
    expect(correct(10_000, 10_000, 2, 1)).toEqual({ do: 'rate', rate: 2 })
  })

  it.each([0.25, 1, 2, 4])('brings an element from 400 ms off within 80 ms in 3 s at speed %f', rate => {
    let position = 0
    let actual = 400
    let own = rate
    for (let at = 0; at < 3000; at += 100) {
      const step = correct(position, actual, rate, own)
      if (step.do === 'rate') own = step.rate
      if (step.do === 'seek') actual = position
      position += 100 * rate
      actual += 100 * own
    }
    expect(Math.abs(actual - position)).toBeLessThanOrEqual(80 * Math.max(1, rate))
    expect(own).toBeCloseTo(rate, 1)
  })

  it('moves a standing picture only when one can see it', () => {
    expect(correctPaused(1000, 1030).do).toBe('nothing')
    expect(correctPaused(1000, 1060).do).toBe('seek')
  })
})

const track = (id: string, segments: [number, number][], more: Partial<RecordedTrack> = {}): RecordedTrack => ({
  id,
  identity: `${id}:t`,
  name: id,
  org_name: '',
  kind: 'video',
  source: 'camera',
  codec: 'vp8',
  segments: segments.map(([start_ms, duration_ms]) => ({
    url: `/${id}/${start_ms}.webm`,
    mime: 'video/webm',
    start_ms,
    end_ms: start_ms + duration_ms,
    duration_ms,
    bytes: 1,
  })),
  ...more,
})

describe('tracks', () => {
  const cut = track('a', [
    [1000, 4000],
    [9000, 5000],
  ])

  it('finds the segment of a moment', () => {
    expect(segmentAt(cut, 999)).toBeUndefined()
    expect(segmentAt(cut, 1000)?.start_ms).toBe(1000)
    expect(segmentAt(cut, 5000)).toBeUndefined()
    expect(segmentAt(cut, 13_999)?.start_ms).toBe(9000)
  })

  it('needs what is on air and what comes soon', () => {
    expect(neededParts([cut], 0).map(p => p.key)).toEqual(['/a/1000.webm'])
    expect(neededParts([cut], 2000).map(p => p.key)).toEqual(['/a/1000.webm', '/a/9000.webm'])
    expect(neededParts([cut], 9000).map(p => p.key)).toEqual(['/a/9000.webm'])
    expect(neededParts([cut], 14_000)).toEqual([])
  })

  it('knows the length of a recording that does not', () => {
    const detail = { tracks: [cut], events: [{ at_ms: 20_000 }], duration_ms: null } as unknown as RecordingDetail
    expect(lengthOf(detail)).toBe(14_000)
    expect(lengthOf({ ...detail, duration_ms: 15_000 })).toBe(15_000)
    expect(lengthOf({ ...detail, duration_ms: 4_000 })).toBe(14_000)
  })

  it('puts segments in order and leaves out what another covers', () => {
    const untidy = track('a', [
      [603, 8504],
      [656, 33],
      [9085, 3000],
      [0, 600],
    ])
    expect(playable(untidy).segments.map(s => s.start_ms)).toEqual([0, 603, 9085])
    expect(segmentAt(playable(untidy), 660)?.start_ms).toBe(603)
    expect(segmentAt(playable(untidy), 9090)?.start_ms).toBe(9085)
  })

  it('finds a gap', () => {
    const gaps = [{ track: 'a', start_ms: 5000, end_ms: 9000, reason: null }]
    expect(gapAt(gaps, 'a', 5000)).toBe(gaps[0])
    expect(gapAt(gaps, 'a', 9000)).toBeUndefined()
    expect(gapAt(gaps, 'b', 6000)).toBeUndefined()
  })

  it('has one tile per picture and one for who was only heard', () => {
    const tiles = playerTiles([
      track('v', [], { identity: 'x' }),
      track('m', [], { identity: 'x', kind: 'audio', source: 'microphone' }),
      track('m2', [], { identity: 'y', kind: 'audio', source: 'microphone' }),
      track('m3', [], { identity: 'y', kind: 'audio', source: 'microphone' }),
      track('s', [], { identity: 'y', source: 'screen_share' }),
      track('sa', [], { identity: 'y', kind: 'audio', source: 'screen_share_audio' }),
      track('c', [], { identity: 'k:bridge' }),
    ])
    expect(tiles.map(t => [t.track.id, t.kind])).toEqual([
      ['v', 'person'],
      ['s', 'screen'],
      ['c', 'camera'],
      ['m2', 'person'],
    ])
    expect(defaultMain(tiles)?.track.id).toBe('s')
    expect(defaultMain(tiles.filter(t => t.kind !== 'screen'))?.track.id).toBe('c')
  })
})

describe('lanes', () => {
  it('joins what cannot be told apart and keeps inside the recording', () => {
    const spans: [number, number][] = [
      [5000, 6000],
      [-500, 1000],
      [1050, 2000],
      [9000, 99_000],
      [7000, 7000],
    ]
    expect(joinSpans(spans, 100, 10_000)).toEqual([
      { start: 0, end: 2000 },
      { start: 5000, end: 6000 },
      { start: 9000, end: 10_000 },
    ])
  })

  const event = (at_ms: number, type: string, more: Partial<LaneItem> = {}): LaneItem => ({
    id: `${type} ${at_ms}`,
    at_ms,
    until_ms: null,
    type,
    lane: 'other',
    title: type,
    icon: '',
    identity: null,
    who: null,
    text: null,
    detail: null,
    ...more,
  })

  it('has the lanes of the hub in its order, without empty ones, and one for what nobody announced', () => {
    const known = [
      { id: 'chat', title: '聊天', icon: 'message' },
      { id: 'camera', title: '摄像机', icon: 'camera' },
    ]
    const items = [event(1, 'drone.landed', { lane: 'drone' }), event(2, 'chat', { lane: 'chat' })]
    expect(eventLanes(known, items).map(l => [l.id, l.title, l.items.length])).toEqual([
      ['chat', '聊天', 1],
      ['drone', 'drone', 1],
    ])
  })

  it('says an item in one line, no word twice', () => {
    expect(itemText(event(0, 'chat', { who: '王某', text: '请派泵车' }))).toBe('请派泵车')
    expect(itemText(event(0, 'joined', { title: '进入', who: '王某' }))).toBe('进入 王某')
    expect(itemText(event(0, 'x', { title: '王某', who: '王某', text: '王某' }))).toBe('王某')
    const mark: Mark = {
      id: 'm', kind: 'mark', at_ms: 5, until_ms: null, title: '东口', text: '积水', by_name: '周某', by_org: '', made_at: '', rev: 1,
      may_change: true,
    } // biome-ignore format: a record
    expect(itemText(markItem(mark))).toBe('东口：积水')
  })

  it('gives words to marks that have room', () => {
    expect(rooms([0, 20, 100, 300], 400)).toEqual([0, 74, 160, 94])
    expect(rooms([], 400)).toEqual([])
  })

  it('turns a page when an enlarged axis runs out, and stays otherwise', () => {
    const window = windowAround(30_000, 4, 80_000)
    expect(window).toEqual({ from: 20_000, until: 40_000 })
    expect(windowFor(window, 39_000, 4, 80_000)).toBe(window)
    const next = windowFor(window, 40_500, 4, 80_000)
    expect(next.from).toBeGreaterThan(35_000)
    expect(next.from).toBeLessThanOrEqual(40_500)
    expect(windowFor(window, 2000, 4, 80_000)).toEqual({ from: 0, until: 20_000 })
    expect(windowFor(window, 79_000, 4, 80_000)).toEqual({ from: 60_000, until: 80_000 })
    expect(windowFor(window, 2000, 1, 80_000)).toEqual({ from: 0, until: 80_000 })
  })

  it('marks round times of day', () => {
    const start = Date.parse('2026-07-13T15:00:30Z')
    const marks = ticks(start, { from: 0, until: 48 * 60_000 })
    expect(marks[0]).toBe(4.5 * 60_000)
    expect(marks[1]).toBe(9.5 * 60_000)
    expect(marks).toHaveLength(9)
    expect(ticks(start, { from: 0, until: 10_000 }).length).toBeLessThanOrEqual(11)
    expect(ticks(start, { from: 60_000, until: 70_000 })[0]).toBe(60_000)
  })

  it('steps from event to event', () => {
    const list = [event(1000, 'a'), event(5000, 'b'), event(9000, 'c')]
    expect(jumpEvent(list, 5000, 1)?.at_ms).toBe(9000)
    expect(jumpEvent(list, 5500, -1)?.at_ms).toBe(1000)
    expect(jumpEvent(list, 6500, -1)?.at_ms).toBe(5000)
    expect(jumpEvent(list, 9000, 1)).toBeUndefined()
    expect([0, 1000, 8999, 10_000].map(at => currentEvent(list, at))).toEqual([-1, 0, 1, 2])
  })

  it('shows words over the picture while they can be read', () => {
    const said = [event(1000, 'chat', { text: '到' }), event(3000, 'chat', { text: '请派泵车。' })]
    expect([0, 1000, 3000, 8399, 8400].map(at => wordsAt(said, at))).toEqual([-1, 0, 1, 1, -1])
  })

  it('finds words', () => {
    expect(searchEvents(['泵车 A1', '雷达', 'a1 泵'], 'a1')).toEqual([0, 2])
    expect(searchEvents(['x'], '  ')).toEqual([])
  })
})

describe('stage of the player', () => {
  it.each([1, 2, 3, 5, 7, 10, 16])('keeps %i pictures inside and apart', count => {
    for (const [width, height] of [
      [1496, 492],
      [900, 700],
      [600, 300],
    ] as const) {
      const rects = playerLayout(width, height, count)
      expect(rects).toHaveLength(count)
      for (const [i, a] of rects.entries()) {
        expect(a.x >= 0 && a.y >= 0 && a.x + a.width <= width && a.y + a.height <= height).toBe(true)
        expect(a.width).toBeGreaterThan(20)
        expect(Math.abs(a.width / a.height - 16 / 9)).toBeLessThan(0.1)
        for (const b of rects.slice(i + 1))
          expect(a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y).toBe(
            true,
          )
      }
      expect(Math.max(...rects.map(r => r.width))).toBe(rects[0]?.width)
    }
  })
})
