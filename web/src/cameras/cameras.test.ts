import { describe, expect, it } from 'vitest'
import type { Alarm, CameraDetail, CameraDiagnosis, DeviceRecording } from '../hub/cameraTypes'
import { TestPlatform } from '../hub/testing'
import { actsOf } from './acts.model'
import { gravest, kept, readAlarm, withAlarm } from './alarms.model'
import { dayOf, headAt, headOf, momentAt, nextSpeed, ofKind, pieces, playable, share, turned } from './day.model'
import { asText } from './diagnosis.model'
import { again, Mover } from './mover.model'
import { advance, due, prefetch, type Run, screen, step as stepRound } from './rounds.model'
import { camera } from './testing'
import { bitrate, openingSeconds, spotSize, thousands, tileState } from './tile.model'
import {
  close,
  emptyWall,
  hasMore,
  neighbourPlace,
  open,
  openAll,
  openAt,
  readWall,
  resize,
  shownCameras,
  shownPlaces,
  swap,
  turn,
  type Wall,
} from './wall.model'
import { zoomOf } from './zoom.model'

const filled = (cameras: string[], size: Wall['size'] = 4): Wall =>
  cameras.reduce((wall, id) => open(wall, id), resize(emptyWall, size))

describe('the wall', () => {
  it('opens into the selected tile, then the next empty one, then instead of the selected', () => {
    const wall = filled(['a', 'b', 'c', 'd'])
    expect(wall.slots.slice(0, 4)).toEqual(['a', 'b', 'c', 'd'])
    expect(wall.selected).toBe(3)
    expect(open(wall, 'e').slots.slice(0, 4)).toEqual(['a', 'b', 'c', 'e'])
  })

  it('selects a camera that is open already instead of opening it twice', () => {
    const wall = open(filled(['a', 'b', 'c']), 'a')
    expect([wall.selected, ...wall.slots.slice(0, 4)]).toEqual([0, 'a', 'b', 'c', null])
  })

  it('changes places when an open camera is dropped on another tile', () => {
    expect(openAt(filled(['a', 'b']), 'a', 1).slots.slice(0, 2)).toEqual(['b', 'a'])
    expect(swap(filled(['a', 'b']), 0, 3).slots.slice(0, 4)).toEqual([null, 'b', null, 'a'])
  })

  it('shows the page of the selected tile, and remembers the others', () => {
    const wall = filled(['a', 'b', 'c', 'd', 'e', 'f'], 9)
    const one = resize(wall, 1)
    expect(shownCameras(one)).toEqual(['f'])
    expect(hasMore(one)).toBe(true)
    expect(shownCameras(turn(one, 1))).toEqual([])
    expect(shownCameras(resize(one, 9))).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect(shownPlaces(resize({ ...wall, selected: 24 }, 9))).toEqual([18, 19, 20, 21, 22, 23, 24])
  })

  it('moves the selection within the page', () => {
    const wall = filled(['a', 'b', 'c', 'd'])
    expect(neighbourPlace(wall, 'right')).toBe(3)
    expect(neighbourPlace(wall, 'left')).toBe(2)
    expect(neighbourPlace(wall, 'up')).toBe(1)
    expect(neighbourPlace(wall, 'down')).toBe(3)
  })

  it('closes one, and fills the page with a list', () => {
    expect(close(filled(['a', 'b']), 0).slots.slice(0, 2)).toEqual([null, 'b'])
    expect(openAll(filled(['a', 'b', 'c']), ['x', 'y']).slots.slice(0, 4)).toEqual(['x', 'y', null, null])
    const second = turn(filled(['a', 'b', 'c', 'd']), 1)
    expect(openAll(second, ['b', 'z']).slots.slice(0, 6)).toEqual(['a', null, 'c', 'd', 'b', 'z'])
  })

  it('is read back as it was saved, and from nonsense as an empty one', () => {
    const wall = filled(['a', 'b'], 16)
    expect(readWall(JSON.stringify(wall))).toEqual(wall)
    for (const text of [null, '', '{', '7', '[]', '{"size":7,"slots":[1,{}],"selected":99}'])
      expect(readWall(text)).toEqual(emptyWall)
  })
})

describe('what a tile shows', () => {
  const item = { camera_id: 'a', identity: 'camera:a', state: 'connecting', reason: null } as const
  const known = { camera: camera('a'), missing: false, item, news: undefined, drawn: false, frozenSince: undefined }
  it('is the picture when there is one, whatever is said', () => {
    expect(tileState({ ...known, drawn: true, news: 'failed' })).toBe('live')
    expect(tileState({ ...known, drawn: true, frozenSince: 5 })).toBe('frozen')
    expect(tileState({ ...known, drawn: true, frozenSince: 5, news: 'failed' })).toBe('failed')
  })
  it('says why there is none', () => {
    expect(tileState(known)).toBe('loading')
    expect(tileState({ ...known, news: 'failed' })).toBe('failed')
    expect(tileState({ ...known, news: 'failed', camera: camera('a', 'a', { online: false }) })).toBe('offline')
    expect(tileState({ ...known, camera: camera('a', 'a', { may: [] }) })).toBe('locked')
    expect(tileState({ ...known, missing: true })).toBe('locked')
  })
  it('writes numbers as people read them', () => {
    expect([openingSeconds(620), openingSeconds(12_400)]).toEqual(['0.6', '12'])
    expect([bitrate(18_400_000), bitrate(640_000), bitrate(999_900)]).toEqual([
      '18.4 Mbit/s',
      '640 kbit/s',
      '1.0 Mbit/s',
    ])
    expect(thousands(48216)).toBe('48,216')
  })
})

describe('moving a camera', () => {
  const make = () => {
    const platform = new TestPlatform()
    const said: Record<string, unknown>[] = []
    const mover = new Mover({ say: word => said.push(word) > 0, after: (ms, act) => platform.after(ms, act) })
    return { platform, said, mover }
  }

  it('says it at once, again every 250 ms, and stop once', () => {
    const { platform, said, mover } = make()
    mover.hold('c', 'left', { pan: -0.5 })
    expect(said).toEqual([{ type: 'move', camera: 'c', pan: -0.5, tilt: 0, zoom: 0, focus: 0, iris: 0 }])
    platform.advance(again)
    platform.advance(again)
    expect(said.length).toBe(3)
    mover.letGo('left')
    mover.letGo('left')
    mover.stop()
    expect(said.slice(3)).toEqual([{ type: 'move', camera: 'c', pan: 0, tilt: 0, zoom: 0, focus: 0, iris: 0 }])
    platform.advance(10 * again)
    expect(said.length).toBe(4)
  })

  it('adds what is held, and keeps within bounds', () => {
    const { said, mover } = make()
    mover.hold('c', 'left', { pan: -0.6 })
    mover.hold('c', 'left2', { pan: -0.6, tilt: 0.5 })
    expect(said.at(-1)).toMatchObject({ pan: -1, tilt: 0.5 })
    mover.letGo('left')
    expect(said.at(-1)).toMatchObject({ pan: -0.6, tilt: 0.5 })
  })

  it('stops the one camera before it moves another', () => {
    const { said, mover } = make()
    mover.hold('c', 'left', { pan: -1 })
    mover.hold('d', 'left', { pan: -1 })
    expect(said.map(word => [word.camera, word.pan])).toEqual([
      ['c', -1],
      ['c', 0],
      ['d', -1],
    ])
  })
})

describe('a day of recordings', () => {
  const day = dayOf(new Date(2026, 6, 13, 12).getTime())
  const at = (hour: number) => day.start + hour * 3_600_000
  const recording = (from: number, to: number, kind: DeviceRecording['kind'] = 'time'): DeviceRecording => ({
    start: new Date(at(from)).toISOString(),
    end: new Date(at(to)).toISOString(),
    kind,
    size: null,
  })

  it('lies between midnights, and joins files that touch', () => {
    expect(share(day, at(6))).toBeCloseTo(0.25)
    expect(momentAt(day, 0.25)).toBe(at(6))
    const found = pieces(day, [recording(6, 12), recording(-2, 5), recording(12, 26), recording(30, 31)])
    expect(found.map(one => [one.from * 24, one.to * 24].map(Math.round))).toEqual([
      [0, 5],
      [6, 24],
    ])
  })

  it('shows recordings of one kind only', () => {
    const all = [recording(1, 5), recording(6, 12, 'alarm'), recording(13, 14, 'manual')]
    expect(ofKind(all, 'alarm')).toEqual([all[1]])
    expect(ofKind(all, undefined)).toEqual(all)
  })

  it('plays from a moment, or from the next recording', () => {
    const all = [recording(6, 12), recording(1, 5)]
    expect(playable(all, at(2), at(24))).toEqual({ from: at(2), to: at(24) })
    expect(playable(all, at(5.5), at(24))).toEqual({ from: at(6), to: at(24) })
    expect(playable(all, at(13), at(24))).toBeUndefined()
  })

  it('knows where a playback stands after pauses and changes of speed', () => {
    let head = { at: at(2), since: 0, speed: 1, playing: true }
    expect(headAt(head, 1000)).toBe(at(2) + 1000)
    head = turned(head, 1000, { speed: 4 })
    expect(headAt(head, 2000)).toBe(at(2) + 5000)
    head = turned(head, 2000, { playing: false })
    expect(headAt(head, 9000)).toBe(at(2) + 5000)
    const standing = { at: 60, as_of: '1970-01-01T00:00:10Z', speed: 2, playing: true }
    expect(headAt(headOf(at(2), standing), 11_000)).toBe(at(2) + 62_000)
    expect([nextSpeed(1, 1), nextSpeed(8, 1), nextSpeed(0.25, -1)]).toEqual([2, 8, 0.25])
  })
})

describe('what a device can be told', () => {
  const of = (ptz: boolean, ...may: CameraDetail['may']) =>
    actsOf({ protocol: 'gb28181', ptz, may }).flatMap(group => group.map(act => act.verb))

  it('is what the camera can and the reader may', () => {
    expect(of(true, 'move')).toEqual(['cruise_start', 'cruise_stop', 'scan_start', 'scan_stop'])
    expect(of(false, 'move', 'control')).toEqual([
      'record_start',
      'record_stop',
      'guard_on',
      'guard_off',
      'alarm_reset',
      'reboot',
    ])
    expect(of(true, 'control')[0]).toBe('aux_on')
    expect(of(true)).toEqual([])
    expect(actsOf({ protocol: 'rtsp', ptz: true, may: ['move', 'control'] })).toEqual([])
  })
})

describe('a round', () => {
  const run: Run = { cameras: ['a', 'b', 'c', 'd', 'e'], tiles: 2, dwell: 20_000, at: 0, since: 0, paused: false }
  it('opens the next screen before it is shown', () => {
    expect(screen(run, 0)).toEqual(['a', 'b'])
    expect(prefetch(run, 13_900)).toEqual([])
    expect(prefetch(run, 14_000)).toEqual(['c', 'd'])
    expect(due(run, 0)).toBe(14_000)
    expect(due(run, 15_000)).toBe(20_000)
  })
  it('turns after its dwell, and begins again after the last', () => {
    expect(advance(run, 19_999)).toBe(run)
    expect(advance(run, 20_000)).toMatchObject({ at: 1, since: 20_000 })
    expect(screen({ ...run, at: 2 }, 2)).toEqual(['e'])
    expect(advance({ ...run, at: 2 }, 20_000).at).toBe(0)
    expect(stepRound(run, -1, 5)).toMatchObject({ at: 2, since: 5 })
  })
  it('does nothing while it is paused or has one screen', () => {
    expect(due({ ...run, paused: true }, 0)).toBeUndefined()
    expect(due({ ...run, tiles: 9 }, 0)).toBeUndefined()
    expect(advance({ ...run, paused: true }, 99_999).at).toBe(0)
  })
})

const box = (x0: number, y0: number, x1: number, y1: number) => ({ from: { x: x0, y: y0 }, to: { x: x1, y: y1 } })

describe('a frame on the picture', () => {
  it('is told in pixels of the picture, without the bars beside it', () => {
    // A 16:9 picture in a square element of 320: 320×180, bars of 70 above and below.
    const zoom = zoomOf(box(80, 100, 240, 190), 320, 320, 1920, 1080)
    expect(zoom?.verb).toBe('zoom_to')
    expect(zoom?.values).toEqual({ length: '320', width: '180', x: '160', y: '75', length_x: '160', length_y: '90' })
  })
  it('zooms out when it is drawn backwards, and is nothing when it is a click or beside the picture', () => {
    expect(zoomOf(box(240, 190, 80, 100), 320, 320, 1920, 1080)?.verb).toBe('zoom_from')
    expect(zoomOf(box(100, 100, 104, 104), 320, 320, 1920, 1080)).toBeUndefined()
    expect(zoomOf(box(10, 5, 300, 60), 320, 320, 1920, 1080)).toBeUndefined()
    expect(zoomOf(box(0, 0, 99, 99), 320, 320, 0, 0)).toBeUndefined()
  })
  it('lies on a tile as large as fits, with its strip under the picture', () => {
    for (const side of [1, 2, 3, 4, 5]) {
      const size = spotSize(1240, 860, side)
      expect(size.width * side + 8 * (side - 1)).toBeLessThanOrEqual(1240)
      expect(size.height * side + 8 * (side - 1)).toBeLessThanOrEqual(860)
    }
    expect(spotSize(0, 0, 4)).toEqual({ width: 0, height: 0 })
  })
})

const alarm = (id: string, more: Partial<Alarm> = {}): Alarm => ({
  id,
  camera: { id: 'c', name: '临江大堤 K12', org_name: '市水务局' },
  device: { id: 'd', name: '录像机' },
  level: 2,
  kind: 'water',
  text: '水位越警戒',
  at: '2026-07-13T15:34:00Z',
  state: 'new',
  repeats: 0,
  confirmed_by: null,
  position: null,
  ...more,
})

describe('alarms', () => {
  it('come to the front once, change in place, and go when they are confirmed', () => {
    let all = withAlarm([], alarm('a'))
    all = withAlarm(all, alarm('b'))
    all = withAlarm(all, alarm('a', { text: '又一次' }))
    expect(all.map(one => [one.id, one.text])).toEqual([
      ['b', '水位越警戒'],
      ['a', '又一次'],
    ])
    expect(withAlarm(all, alarm('b', { state: 'confirmed' })).map(one => one.id)).toEqual(['a'])
    for (let i = 0; i < 100; i += 1) all = withAlarm(all, alarm(`x${i}`))
    expect(all.length).toBe(kept)
  })
  it('mark a camera with its gravest open one', () => {
    const found = gravest([
      alarm('a', { level: 3 }),
      alarm('b', { level: 1 }),
      alarm('c', { level: 1, state: 'confirmed' }),
      alarm('d', { level: 4, camera: null }),
    ])
    expect([...found.values()].map(one => one.id)).toEqual(['b'])
  })
  it('are read from events, nonsense is none', () => {
    expect(readAlarm({ alarm: alarm('a') })?.id).toBe('a')
    for (const data of [null, 7, {}, { alarm: null }, { alarm: { id: 7 } }, { alarm: { ...alarm('a'), level: 9 } }])
      expect(readAlarm(data)).toBeUndefined()
  })
})

describe('the diagnosis', () => {
  it('is copied as text somebody else can read', () => {
    const found: CameraDiagnosis = {
      camera_id: 'c',
      at: '2026-07-13T15:40:51Z',
      code: 'no_media',
      text: '没有收到视频数据。',
      advice: '防火墙没有放行端口。',
      steps: [
        { name: '设备已注册', state: 'done', text: '来自 10.0.0.1', seconds: 0 },
        { name: '没有收到视频数据', state: 'failed', text: '0 包', seconds: 15.31 },
        { name: '解析画面', state: 'skipped', text: '没有数据', seconds: 0 },
      ],
      attempts: [{ way: 'UDP', port: 30218, seconds: 5, packets: 0, code: 'no_media', sender: '', ssrc: 100000132 }],
      neighbours: [],
      last_success: null,
      owner: { org_name: '云湖区' },
    }
    const text = asText(camera('c', 'K3 泵站 02'), found)
    for (const part of [
      'K3 泵站 02',
      '✗ 没有收到视频数据 15.31 s',
      '– 解析画面 —',
      'UDP :30218 0 packets 5.0 s no_media SSRC 100000132',
    ])
      expect(text).toContain(part)
  })
})
