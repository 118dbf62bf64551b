import { describe, expect, it } from 'vitest'
import type { ParticipantStats } from '../hub/types'
import { ChatLog, isNote } from './chat.model'
import { inOrderOfNeed, layers, look, percent, rate, summary } from './diagnosis.model'
import { capacity, layout, neighbour, pages, steps } from './grid.model'
import { arrange, nextChange, type Place } from './places.model'
import { retryDelay } from './retry.model'
import { SpeakingGate } from './speaking.model'
import {
  buildTiles,
  chooseMain,
  currentSpeaker,
  initial,
  type Member,
  type RoomCamera,
  sourceQuality,
} from './tiles.model'

describe('grid', () => {
  it('is the one drawn for nine parties beside the open panel', () => {
    expect(layout(1534, 948, 9)).toEqual({ columns: 3, rows: 3, tileWidth: 506, tileHeight: 284 })
  })

  it.each([
    [1, 1, 1],
    [2, 2, 1],
    [4, 2, 2],
    [6, 3, 2],
    [9, 3, 3],
    [12, 4, 3],
    [16, 4, 4],
    [25, 5, 5],
  ])('%i tiles on a wide stage stand in %i columns and %i rows', (count, columns, rows) => {
    expect(layout(1896, 932, count)).toMatchObject({ columns, rows })
  })

  it('always takes the largest 16:9 that fits', () => {
    for (const count of steps.filter(step => step !== 2))
      for (const [width, height] of [
        [1896, 932],
        [1536, 932],
        [900, 900],
        [400, 1000],
      ] as const) {
        const grid = layout(width, height, count)
        const fits = (tile: number, columns: number) => {
          const rows = Math.ceil(capacity(count) / columns)
          return tile * columns + 8 * (columns - 1) <= width && ((tile * 9) / 16) * rows + 8 * (rows - 1) <= height
        }
        expect(fits(grid.tileWidth, grid.columns)).toBe(true)
        for (let columns = 1; columns <= count; columns += 1) expect(fits(grid.tileWidth + 1, columns)).toBe(false)
      }
  })

  it('stands two one above the other on an upright stage', () => {
    expect(layout(366, 700, 2)).toMatchObject({ columns: 1, rows: 2 })
  })

  it('goes up in steps and turns pages above 25', () => {
    expect([1, 2, 3, 5, 7, 10, 13, 17, 26].map(capacity)).toEqual([1, 2, 4, 6, 9, 12, 16, 25, 25])
    expect([0, 25, 26, 51].map(pages)).toEqual([1, 1, 2, 3])
  })

  it('moves the focus within the grid', () => {
    expect(neighbour(0, 'right', 3, 7)).toBe(1)
    expect(neighbour(2, 'right', 3, 7)).toBe(2)
    expect(neighbour(3, 'left', 3, 7)).toBe(3)
    expect(neighbour(1, 'up', 3, 7)).toBe(1)
    expect(neighbour(5, 'down', 3, 7)).toBe(6)
    expect(neighbour(6, 'down', 3, 7)).toBe(6)
    expect(neighbour(6, 'up', 3, 7)).toBe(3)
  })
})

describe('places', () => {
  const held = (id: string) => !id.endsWith('screen')
  const ids = (places: Place[]) => places.map(p => (p.goneAt === undefined ? p.id : `(${p.id})`))

  it('keeps a place for ten seconds and gives it back', () => {
    let places = arrange([], ['a', 'b', 'c'], 0, held)
    places = arrange(places, ['a', 'c'], 1000, held)
    expect(ids(places)).toEqual(['a', '(b)', 'c'])
    expect(nextChange(places)).toBe(11_000)
    expect(ids(arrange(places, ['b', 'c', 'a'], 10_900, held))).toEqual(['a', 'b', 'c'])
    expect(ids(arrange(places, ['c', 'a'], 11_000, held))).toEqual(['a', 'c'])
  })

  it('puts who comes at the end and holds nothing for a screen', () => {
    let places = arrange([], ['s-screen', 'a'], 0, held)
    places = arrange(places, ['new', 'a'], 10, held)
    expect(ids(places)).toEqual(['a', 'new'])
    expect(nextChange(places)).toBeUndefined()
  })
})

describe('speaking', () => {
  it('shows the ring after 300 ms and takes it away 1 s after the last word', () => {
    const gate = new SpeakingGate()
    gate.hear('a', true, 0)
    expect(gate.rings(299).has('a')).toBe(false)
    expect(gate.deadline()).toBe(300)
    expect(gate.rings(300).get('a')).toBe(0)
    gate.hear('a', false, 5000)
    expect(gate.deadline()).toBe(6000)
    expect(gate.rings(5999).has('a')).toBe(true)
    expect(gate.rings(6000).has('a')).toBe(false)
    expect(gate.deadline()).toBeUndefined()
  })

  it('does not flicker: a cough shows nothing, a pause for breath hides nothing', () => {
    const gate = new SpeakingGate()
    gate.hear('a', true, 0)
    gate.hear('a', false, 200)
    expect(gate.rings(400).size).toBe(0)
    gate.hear('a', true, 1000)
    gate.hear('a', false, 2000)
    gate.hear('a', true, 2800)
    expect(gate.rings(3500).get('a')).toBe(1000)
  })
})

const member = (identity: string, more: Partial<Member<string>> = {}): Member<string> => ({
  identity,
  name: identity,
  org: '市水务局',
  kind: 'person',
  local: false,
  joinedAt: 0,
  mic: 'on',
  camera: { track: `video of ${identity}`, muted: false },
  screen: undefined,
  screenSound: false,
  quality: 'good',
  speakingSince: undefined,
  ...more,
})
const camera = (id: string, state: RoomCamera['state'], reason: string | null = null): RoomCamera => ({
  id,
  name: `摄像机 ${id}`,
  org_name: '滨江区',
  state,
  identity: `${id}:bridge`,
  reason,
})

describe('coming back', () => {
  it('tries soon, then every few seconds, and gives up after a minute', () => {
    expect([0, 1, 2, 5].map(count => retryDelay(count, 100, 1))).toEqual([0, 200, 500, 2000])
    expect([6, 7, 20].map(count => retryDelay(count, 9000, 0))).toEqual([2500, 3000, 4000])
    expect(retryDelay(20, 9000, 1)).toBe(5000)
    expect(retryDelay(20, 61_000, 0)).toBeNull()
  })
})

describe('tiles', () => {
  it('shows people cut to fill, cameras and screens whole', () => {
    const tiles = buildTiles(
      [member('p', { screen: { track: 'screen', muted: false } }), member('c:bridge', { kind: 'camera', joinedAt: 5 })],
      [camera('c', 'live')],
    )
    expect(tiles.map(t => [t.id, t.fit, t.picture])).toEqual([
      ['p/screen', 'contain', 'live'],
      ['p/camera', 'cover', 'live'],
      ['c:bridge/camera', 'contain', 'live'],
    ])
  })

  it('has no picture for a camera that is off, and opens one that is on its way', () => {
    const off = buildTiles(
      [member('p', { camera: { track: 't', muted: true } }), member('q', { camera: undefined })],
      [],
    )
    expect(off.map(t => [t.picture, t.track])).toEqual([
      ['none', undefined],
      ['none', undefined],
    ])
    const coming = buildTiles([member('p', { camera: { track: undefined, muted: false } })], [])
    expect(coming[0]?.picture).toBe('opening')
  })

  it('has a tile for a camera that has not come, with the reason when it failed', () => {
    const tiles = buildTiles([], [camera('c', 'connecting'), camera('d', 'failed', '摄像机没有应答')])
    expect(tiles.map(t => [t.identity, t.picture, t.reason])).toEqual([
      ['c:bridge', 'opening', null],
      ['d:bridge', 'failed', '摄像机没有应答'],
    ])
  })

  it('says that a camera in the room has failed, and keeps its last picture', () => {
    const tiles = buildTiles([member('d:bridge', { kind: 'camera' })], [camera('d', 'failed', '断了')])
    expect(tiles).toMatchObject([{ picture: 'failed', reason: '断了', track: 'video of d:bridge' }])
  })

  it('chooses the main picture: pinned, screen, speaker, camera, somebody else', () => {
    const me = member('me', { local: true })
    const a = member('a', { joinedAt: 1 })
    const b = member('b', { joinedAt: 2 })
    const cam = member('c:bridge', { kind: 'camera', joinedAt: 3 })
    const main = (members: Member<string>[], pinned?: string, speaker?: string) =>
      chooseMain(buildTiles(members, []), pinned, speaker)?.id
    expect(main([me])).toBe('me/camera')
    expect(main([me, a])).toBe('a/camera')
    expect(main([me, a, b, cam])).toBe('c:bridge/camera')
    expect(main([me, a, b, cam], undefined, 'b')).toBe('b/camera')
    expect(main([me, a, b, cam], undefined, 'me')).toBe('c:bridge/camera')
    expect(main([me, { ...a, screen: { track: 's', muted: false } }, b], undefined, 'b')).toBe('a/screen')
    expect(main([me, a, b], 'me/camera', 'b')).toBe('me/camera')
    expect(main([me, a, b], 'gone/camera', 'b')).toBe('b/camera')
  })

  it('names the one who began last as the speaker', () => {
    const members = [member('a', { speakingSince: 10 }), member('b', { speakingSince: 20 }), member('c')]
    expect(currentSpeaker(members)?.identity).toBe('b')
  })

  it('draws initials', () => {
    expect(['李明', ' ann Lee', 'bob', '', '𠮷野'].map(initial)).toEqual(['李', 'AL', 'B', '?', '𠮷'])
  })
})

describe('chat', () => {
  const line = (id: string, text: string, identity = 'a') => ({ id, identity, name: '刘', org: '', text, at: 1 })
  const texts = (log: ChatLog) => log.entries.map(e => (isNote(e) ? e.note : `${e.text} ${e.state}`))

  it('shows a line that comes by both ways once', () => {
    const log = new ChatLog()
    log.receive(line('1', '泵车已到'))
    log.receive(line('1', '泵车已到'))
    log.receive(line('1', '别人的同号', 'b'))
    expect(texts(log)).toEqual(['泵车已到 sent', '别人的同号 sent'])
  })

  it('keeps what was written without a connection and gives it out in order', () => {
    const log = new ChatLog()
    log.write(line('1', '一'), false)
    log.write(line('2', '二'), true)
    log.write(line('3', '三'), false)
    expect(log.waiting().map(l => l.id)).toEqual(['1', '3'])
    log.settle('1', 'sent')
    log.settle('2', 'failed')
    expect(texts(log)).toEqual(['一 sent', '二 failed', '三 waiting'])
  })

  it('cuts what is too long and says a thing once', () => {
    const log = new ChatLog()
    log.receive(line('1', 'x'.repeat(9000)))
    log.note({ id: 'n', at: 1, note: 'lost', name: '' })
    log.note({ id: 'n', at: 1, note: 'lost', name: '' })
    expect(log.entries).toHaveLength(2)
    expect(texts(log)[0]).toHaveLength(4005)
  })
})

describe('diagnosis', () => {
  const one = (name: string, grade: 'fine' | 'noticed' | 'bad', more: Partial<ParticipantStats> = {}) =>
    ({
      identity: name,
      name,
      verdict: { fault: 'network', grade, code: 'x', text: '', step: '' },
      up: [],
      down: [],
      ...more,
    }) as unknown as ParticipantStats

  it('puts who needs help first and lets the others stand', () => {
    const rows = [one('a', 'fine'), one('b', 'noticed'), one('c', 'fine'), one('d', 'bad'), one('e', 'bad')]
    expect(inOrderOfNeed(rows).map(row => row.name)).toEqual(['d', 'e', 'b', 'a', 'c'])
    expect(rows.map(look)).toEqual(['', 'outline', '', 'inverse', 'inverse'])
    expect(summary(rows)).toEqual({ bad: 2, noticed: 1 })
  })

  it('says figures as people do', () => {
    expect([0, 900, 340_400, 1_240_000].map(rate)).toEqual(['—', '1 kbit/s', '340 kbit/s', '1.2 Mbit/s'])
    expect([0, 0.001, 0.05, 0.256].map(percent)).toEqual(['0%', '< 1%', '5%', '26%'])
  })

  it('shows of pictures in view what is sent and what is wanted', () => {
    const down = [
      { track: 'a', identity: 'x', kind: 'video', layer: 0, wanted: 2, paused: false, seen: true },
      { track: 'b', identity: 'y', kind: 'video', layer: 1, wanted: 1, paused: true, seen: true },
      { track: 'c', identity: 'z', kind: 'video', layer: 1, wanted: 1, paused: false, seen: false },
      { track: 'd', identity: 'x', kind: 'audio', layer: 0, wanted: 2, paused: false, seen: true },
    ] as ParticipantStats['down']
    expect(layers(one('a', 'fine', { down }))).toEqual([
      { identity: 'x', sent: 0, wanted: 2 },
      { identity: 'y', sent: null, wanted: 1 },
    ])
  })
})

describe('bars of a camera', () => {
  it('show how its source is', () => {
    expect((['live', 'connecting', 'failed', 'idle', undefined] as const).map(sourceQuality)).toEqual([
      'excellent',
      'poor',
      'lost',
      'unknown',
      'unknown',
    ])
  })
})
