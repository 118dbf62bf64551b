import { describe, expect, it } from 'vitest'
import type { Camera, CameraQuery, DeviceRecording, TreeNode } from '../hub/cameraTypes'
import { TestPlatform } from '../hub/testing'
import { dayOf, headAt, momentAt, nextSpeed, pieces, playable, share, turned } from './day.model'
import { again, Mover } from './mover.model'
import { hits, initialsOf, syllables } from './pinyin.model'
import { advance, due, prefetch, type Run, screen, step as stepRound } from './rounds.model'
import { bitrate, openingSeconds, thousands, tileState } from './tile.model'
import { CameraTree, noFilter, parentOf, type Row, step, windowOf } from './tree.model'
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

const camera = (id: string, name = id, more: Partial<Camera> = {}): Camera => ({
  id,
  name,
  place: null,
  org: { id: 'o', name: '市水务局', short: '水务' },
  label: 'internal',
  state: 'idle',
  reason: null,
  protocol: 'gb28181',
  online: true,
  ptz: true,
  sub: true,
  node_id: null,
  path: ['市水务局', '临江大堤'],
  position: null,
  alarm: false,
  may: ['open', 'move'],
  ...more,
})

const marked = (text: string, q: string) => hits(text, q).map(hit => text.slice(hit.from, hit.to))

describe('what a search hit', () => {
  it('marks initials, spelt syllables, plain words and digits', () => {
    expect(marked('临江大堤 K12', 'ljdd')).toEqual(['临江大堤'])
    expect(marked('临江大堤 K12', 'linjiang')).toEqual(['临江'])
    expect(marked('青石桥下穿 西口', '石桥')).toEqual(['石桥'])
    expect(marked('临江大堤 K12', 'k12')).toEqual(['K12'])
    expect(marked('临江大堤 K12', 'ljdd k1')).toEqual(['临江大堤', 'K1'])
    expect(marked('长江大道', 'cjdd')).toEqual(['长江大道'])
    expect(marked('长江大道', 'zjdd')).toEqual(['长江大道'])
  })

  it('marks nothing when it cannot say where', () => {
    expect(marked('临江大堤', 'xyz')).toEqual([])
    expect(marked('临江大堤', '')).toEqual([])
    expect(marked('临江大堤', '江江')).toEqual([])
  })

  it('knows with which letters a character begins', () => {
    expect([...'临江安吧重一K'].map(initialsOf)).toEqual(['l', 'j', 'a', 'b', 'zc', 'y', 'k'])
  })

  it('reads syllables, the longest first, and gives up on what is none', () => {
    expect(syllables('linjiangdadi')).toEqual(['lin', 'jiang', 'da', 'di'])
    expect(syllables('zhuangshi')).toEqual(['zhuang', 'shi'])
    expect(syllables('ljdd')).toBeUndefined()
    const before = Date.now()
    expect(syllables(`${'a'.repeat(60)}x`)).toBeUndefined()
    expect(Date.now() - before).toBeLessThan(1000)
  })
})

class Catalogue {
  asked: CameraQuery[] = []
  parents: string[] = []
  fail = false
  constructor(
    private readonly tree: Record<string, TreeNode[]>,
    private readonly cameras: Record<string, Camera[]>,
  ) {}
  nodes = async (parent: string) => {
    this.parents.push(parent)
    if (this.fail) throw new Error('no')
    return { items: this.tree[parent] ?? [], next: null }
  }
  find = async (query: CameraQuery) => {
    this.asked.push(query)
    const all = query.node
      ? (this.cameras[query.node] ?? [])
      : Object.values(this.cameras)
          .flat()
          .filter(one => one.name.includes(query.q ?? ''))
    const from = Number(query.cursor ?? 0)
    const items = all.slice(from, from + (query.limit ?? 50))
    const next = from + items.length < all.length ? String(from + items.length) : null
    return { items, next, total: all.length }
  }
}

const node = (id: string, name: string, more: Partial<TreeNode> = {}): TreeNode => ({
  id,
  kind: 'region',
  name,
  parent_id: null,
  online: 1,
  total: 2,
  leaf: false,
  ...more,
})

const settle = () => new Promise(done => setTimeout(done, 0))
const names = (rows: readonly Row[]) =>
  rows.map(row => {
    const text =
      row.kind === 'node'
        ? row.node.name
        : row.kind === 'camera'
          ? row.camera.name
          : row.kind === 'group'
            ? row.name
            : ''
    return `${' '.repeat(row.depth)}${row.kind} ${text}`.trimEnd()
  })

describe('the tree', () => {
  const many = Array.from({ length: 450 }, (_, i) => camera(`m${i}`))
  const make = () =>
    new Catalogue(
      {
        '': [node('w', '市水务局'), node('x', '雪亮工程', { leaf: true, total: 450 })],
        w: [node('d', '临江大堤', { leaf: true })],
      },
      { d: [camera('k8', '临江大堤 K08'), camera('k12', '临江大堤 K12')], x: many },
    )

  it('loads a node when it is opened, and what is below it only then', async () => {
    const source = make()
    const tree = new CameraTree(source)
    tree.start()
    await settle()
    expect(names(tree.snapshot().rows)).toEqual(['node 市水务局', 'node 雪亮工程'])
    expect(source.asked).toEqual([])
    expect(tree.snapshot().total).toBe(452)
    tree.toggle('w')
    await settle()
    tree.toggle('d')
    await settle()
    expect(names(tree.snapshot().rows)).toEqual([
      'node 市水务局',
      ' node 临江大堤',
      '  camera 临江大堤 K08',
      '  camera 临江大堤 K12',
      'node 雪亮工程',
    ])
    expect(source.parents).toEqual(['', 'w'])
    tree.toggle('w')
    expect(names(tree.snapshot().rows)).toEqual(['node 市水务局', 'node 雪亮工程'])
    expect(tree.known('k12')?.name).toBe('临江大堤 K12')
  })

  it('brings many cameras a page at a time, each page once', async () => {
    const source = make()
    const tree = new CameraTree(source)
    tree.start()
    await settle()
    tree.toggle('x')
    await settle()
    expect(tree.snapshot().rows.length).toBe(2 + 200 + 1)
    tree.more('x')
    tree.more('x')
    await settle()
    expect(tree.snapshot().rows.length).toBe(2 + 400 + 1)
    tree.more('x')
    await settle()
    expect(tree.snapshot().rows.length).toBe(2 + 450)
    expect(source.asked.length).toBe(3)
  })

  it('shows what was found under the names above it, and counts it', async () => {
    const tree = new CameraTree(make())
    tree.start()
    tree.setFilter({ ...noFilter, q: 'K' })
    await settle()
    expect(names(tree.snapshot().rows)).toEqual([
      'group 市水务局',
      ' group 临江大堤',
      '  camera 临江大堤 K08',
      '  camera 临江大堤 K12',
    ])
    expect(tree.snapshot().found).toBe(2)
    tree.setFilter(noFilter)
    expect(tree.snapshot().found).toBeUndefined()
  })

  it('lets a late answer to an old question go', async () => {
    const source = make()
    const slow: (() => void)[] = []
    const tree = new CameraTree({
      nodes: source.nodes,
      find: async query => {
        if (query.q === 'K08') await new Promise<void>(done => slow.push(done))
        return source.find(query)
      },
    })
    tree.setFilter({ ...noFilter, q: 'K08' })
    tree.setFilter({ ...noFilter, q: 'K12' })
    await settle()
    for (const go of slow) go()
    await settle()
    expect(names(tree.snapshot().rows)).toEqual(['group 市水务局', ' group 临江大堤', '  camera 临江大堤 K12'])
  })

  it('says what failed where it failed, and tries again', async () => {
    const source = make()
    source.fail = true
    const tree = new CameraTree(source)
    tree.start()
    await settle()
    expect(names(tree.snapshot().rows)).toEqual(['problem'])
    source.fail = false
    tree.again('')
    await settle()
    expect(tree.snapshot().rows.length).toBe(2)
  })

  it('moves the mark over rows one can use', () => {
    const rows = [
      { kind: 'group', key: '1', depth: 0, name: 'a', count: 0 },
      { kind: 'camera', key: '2', depth: 1, camera: camera('1') },
      { kind: 'more', key: '3', depth: 1, of: '' },
    ] satisfies Row[]
    expect(step(rows, -1, 1)).toBe(1)
    expect(step(rows, 1, 1)).toBe(1)
    expect(parentOf(rows, 1)).toBe(1)
  })

  it('draws the rows in sight and a few more of fifty thousand', () => {
    expect(windowOf(50_000, 32, 0, 640)).toEqual({ from: 0, to: 28 })
    expect(windowOf(50_000, 32, 32_000, 640)).toEqual({ from: 992, to: 1028 })
    expect(windowOf(3, 32, 0, 640)).toEqual({ from: 0, to: 3 })
  })
})

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
    expect([nextSpeed(1, 1), nextSpeed(8, 1), nextSpeed(0.25, -1)]).toEqual([2, 8, 0.25])
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
