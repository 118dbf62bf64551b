import { describe, expect, it } from 'vitest'
import type { RecordedTrack } from '../hub/types'
import { findCluster, readClusters, readHead } from './container.model'
import { followAt, LiveEdge, pace } from './live.model'
import { PieceReader } from './pieces.model'
import { beginAt, frameBeside, learn, newIndex, readUntil } from './reading.model'
import { merged, outline, thumbnailAt } from './shapes.model'
import { gridLayout } from './stage.model'
import { speakerAt, staged } from './stagings.model'
import { endOf, ownTime, type PlayerTile, sessionTime } from './tracks.model'

const bytes = (...parts: (number | number[])[]) => new Uint8Array(parts.flat())
/** A WebM of one track as far as a player reads it: EBML, an endless Segment, Info, Tracks. */
const webm = bytes(
  [0x1a, 0x45, 0xdf, 0xa3, 0x80],
  [0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x15, 0x49, 0xa9, 0x66, 0x87, 0x2a, 0xd7, 0xb1, 0x83, 0x0f, 0x42, 0x40],
  [0x16, 0x54, 0xae, 0x6b, 0x80],
)
/** A cluster at `time` ms with frames at 0 and 40 ms of it. */
const cluster = (time: number, key: boolean) =>
  bytes(
    [0x1f, 0x43, 0xb6, 0x75, 0x10, 0, 0, 18, 0xe7, 0x82, time >> 8, time & 255],
    [0xa3, 0x85, 0x81, 0, 0, key ? 0x80 : 0, 7],
    [0xa3, 0x85, 0x81, 0, 40, 0, 7],
  )

describe('containers', () => {
  it('reads a head and its clusters, whole ones only', () => {
    const head = readHead(webm)
    expect(head).toMatchObject({ kind: 'webm', size: webm.length, first: webm.length, scale: 1000 })
    if (!head) return
    const two = bytes([...cluster(0, true)], [...cluster(500, false)])
    const found = readClusters(two.subarray(0, two.length - 1), 34, head)
    expect(found.clusters).toEqual([{ time: 0, offset: 34, size: 26, key: true, frames: [0, 40] }])
    expect(found.used).toBe(26)
    expect(readClusters(two, 34, head).clusters[1]).toMatchObject({
      time: 500,
      offset: 60,
      key: false,
      frames: [500, 540],
    })
  })

  it('finds the next cluster in the midst of a file, and none in noise', () => {
    expect(findCluster(bytes([9, 0x1f, 0x43, 0xb6, 0x75, 1], [...cluster(0, true)]), 'webm')).toBe(6)
    expect(findCluster(bytes([...new Uint8Array(99).fill(0x1f)]), 'webm')).toBe(-1)
    expect(readHead(bytes([1, 2, 3, 4]))).toBeUndefined()
    expect(readHead(webm.subarray(0, 20))).toBeUndefined()
  })
})

describe('reading', () => {
  const head = {
    kind: 'webm',
    size: 40,
    first: 40,
    body: 0,
    scale: 1000,
    table: undefined,
    entries: undefined,
  } as const

  it('begins at the last place a decoder can, or surely before it', () => {
    const index = newIndex({
      ...head,
      entries: [
        { time: 0, offset: 40 },
        { time: 2000, offset: 900 },
      ],
    })
    expect(beginAt(index, 2500, 5000, 9000)).toEqual({ time: 2000, offset: 900, exact: true })
    const open = newIndex(head)
    expect(beginAt(open, 3000, 5_000_000, 60_000)).toEqual({ time: 0, offset: 40, exact: true })
    const guess = beginAt(open, 40_000, 6_000_000, 60_000)
    expect(guess.exact).toBe(false)
    expect(guess.offset).toBeLessThan((6_000_000 * 29_500) / 60_000)
    learn(open, [{ time: 39_000, offset: 4_000_000, size: 9, key: true, frames: [39_000, 39_040] }])
    expect(beginAt(open, 40_000, 6_000_000, 60_000)).toEqual({ time: 39_000, offset: 4_000_000, exact: true })
  })

  it('knows the frames beside one, and none over a hole', () => {
    const index = newIndex(head)
    const cluster = (offset: number, ...frames: number[]) => ({ time: 0, offset, size: 10, key: false, frames })
    learn(index, [cluster(40, 0, 40), cluster(60, 500, 540)])
    const beside = (at: number) => [-1, 1].map(step => frameBeside(index, at, step as -1 | 1))
    expect(beside(45)).toEqual([0, undefined])
    expect(beside(505)).toEqual([undefined, 540])
    // What was between them is read, and once more.
    learn(index, [cluster(50, 80, 120), cluster(50, 80, 120), cluster(40, 0, 40)])
    expect(beside(45)).toEqual([0, 80])
    expect(beside(505)).toEqual([120, 540])
    expect(index.runs).toEqual([{ begin: 40, end: 70, from: 0, until: 540 }])
  })

  it('asks for whole blocks and takes a small rest along', () => {
    expect(readUntil(0, 0, 1000, 1, 10_000_000) % 65_536).toBe(0)
    expect(readUntil(0, 0, 1000, 1, 140_000)).toBe(140_000)
  })

  it('takes several pieces apart however they come', () => {
    const whole = bytes(
      [0, 0, 0, 206, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3],
      [0, 0, 1, 148, ...new Uint8Array(12)],
    )
    const reader = new PieceReader()
    const found = [...whole].flatMap(byte => reader.receive(bytes(byte)))
    expect(found.map(one => [one.status, one.size, [...one.bytes]])).toEqual([
      [206, 9, [1, 2, 3]],
      [404, 0, []],
    ])
  })
})

describe('a running session', () => {
  it('is followed by its newest media, smoothly when near and at once when far', () => {
    const edge = new LiveEdge()
    expect(edge.position(0)).toBeUndefined()
    edge.saw(1000, 61_000)
    edge.saw(2000, 61_500)
    expect(edge.position(3000)).toBe(63_000)
    const at = followAt(63_000)
    expect(pace(at - 5000, 63_000, 1)).toEqual({ do: 'jump', to: at })
    expect(pace(at - 600, 63_000, 1)).toEqual({ do: 'rate', rate: 1.1 })
    expect(pace(at + 600, 63_000, 1)).toEqual({ do: 'rate', rate: 0.9 })
    expect(pace(at - 20, 63_000, 1.1)).toEqual({ do: 'rate', rate: 1 })
  })
})

const tile = (id: string, kind: PlayerTile['kind'] = 'person'): PlayerTile => {
  const segment = { url: `/${id}`, mime: '', start_ms: 0, end_ms: 60_000, duration_ms: 60_000, bytes: 1 }
  const track = { id, identity: id, kind: 'video', source: 'camera', segments: [segment] } as unknown as RecordedTrack
  return { track, identity: id, name: id, org: '', kind }
}

describe('stagings', () => {
  const tiles = ['a', 'b', 'c'].map(id => tile(id)).concat(tile('k', 'camera'))
  const ids = (s: ReturnType<typeof staged>) => s.tiles.map(one => one.track.id).join('')
  const wishes = { main: 'b', picked: new Set(['c']) }

  it('shows whom each of them is for', () => {
    expect(staged(tiles, { ...wishes, staging: 'main' }, 0, undefined).large).toBe('b')
    expect(staged(tiles, { ...wishes, staging: 'speaker' }, 0, 'c').large).toBe('c')
    expect(ids(staged(tiles, { ...wishes, staging: 'cameras' }, 0, undefined))).toBe('k')
    expect(ids(staged(tiles, { ...wishes, staging: 'picked' }, 0, undefined))).toBe('c')
    const many = Array.from({ length: 40 }, (_, i) => tile(`t${i}`))
    const shown = staged(many, { staging: 'main', main: 't39', picked: new Set() }, 0, undefined)
    expect([shown.tiles.length, shown.more, shown.tiles.some(one => one.track.id === 't39')]).toEqual([25, 15, true])
  })

  it('follows who began last, and stays in a pause', () => {
    const lane = (identity: string, ...spans: [number, number][]) => ({
      identity,
      name: '',
      org: '',
      spans: spans.map(([start, end]) => ({ start, end })),
    })
    const lanes = [lane('a', [0, 5000], [20_000, 20_300]), lane('b', [3000, 9000])]
    expect([500, 4000, 15_000, 21_000].map(at => speakerAt(lanes, at))).toEqual(['a', 'b', 'b', 'b'])
  })

  it.each([1, 2, 4, 7, 20, 25])('has %i equal pictures inside and apart', count => {
    const rects = gridLayout(1500, 500, count)
    expect(rects).toHaveLength(count)
    for (const [i, a] of rects.entries()) {
      expect(a.x >= 0 && a.y >= 0 && a.x + a.width <= 1500 && a.y + a.height <= 500).toBe(true)
      for (const b of rects.slice(i + 1))
        expect(a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y).toBe(
          true,
        )
    }
  })
})

describe('places on the clock', () => {
  it('are in proportion where a clock ran slow, and go on while it is written', () => {
    const slow = { url: '/1.webm', mime: '', start_ms: 1000, end_ms: 5200, duration_ms: 4000, bytes: 1 }
    expect(ownTime(slow, 3100)).toBe(2000)
    expect(sessionTime(slow, 2000)).toBe(3100)
    expect(endOf(slow)).toBe(5200)
    expect(endOf({ ...slow, url: '/1.webm.part' })).toBe(Number.POSITIVE_INFINITY)
  })

  it('have their thumbnail and their loudness', () => {
    const sheet = {
      url: '', start_ms: 0, until_ms: 50_000, every_ms: 10_000, count: 5, columns: 3, tile_width: 160, tile_height: 90, whole: true,
    } // biome-ignore format: a record
    expect(thumbnailAt([sheet], 45_000)).toMatchObject({ x: 160, y: 90 })
    expect(thumbnailAt([], 5)).toBeUndefined()
    const wave = { track: '1', start_ms: 0, step_ms: 100, peaks: [0, 50, 100, 0], running: false }
    expect(outline(wave, 0, 400, 2)).toEqual([0.5, 1])
  })

  it('are taken in each once, and ended when they are over', () => {
    const item = { id: 'a', at_ms: 1, until_ms: null } as never
    const answer = {
      lanes: [],
      items: [item],
      ended: [],
      next: 1,
      more: false,
      running: true,
      duration_ms: 1,
      marks_rev: 0,
    }
    const later = merged(merged(undefined, answer), { ...answer, ended: [{ id: 'a', until_ms: 9 }] })
    expect(later.items).toMatchObject([{ id: 'a', until_ms: 9 }])
  })
})
