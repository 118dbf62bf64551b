import { describe, expect, it } from 'vitest'
import type { Camera, CameraQuery, TreeNode } from '../hub/cameraTypes'
import { hits, initialsOf, syllables } from './pinyin.model'
import { camera } from './testing'
import { CameraTree, keyed, noFilter, parentOf, type Row, step, windowOf } from './tree.model'

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

  it('takes keys as trees do, and lets a search box keep its own', () => {
    const rows = [
      { kind: 'node', key: 'w', depth: 0, node: node('w', '市水务局'), open: true },
      { kind: 'camera', key: 'c', depth: 1, camera: camera('c') },
      { kind: 'node', key: 'x', depth: 0, node: node('x', '雪亮工程'), open: false },
    ] satisfies Row[]
    expect(keyed(rows, 0, 'ArrowLeft', false)).toEqual({ act: rows[0] })
    expect(keyed(rows, 1, 'ArrowLeft', false)).toEqual({ go: 0 })
    expect(keyed(rows, 2, 'ArrowRight', false)).toEqual({ act: rows[2] })
    expect(keyed(rows, 0, 'ArrowRight', false)).toBeUndefined()
    expect(keyed(rows, 2, 'ArrowRight', true)).toBeUndefined()
    expect(keyed(rows, -1, 'Enter', true)).toEqual({ act: rows[1] })
    expect(keyed([], -1, 'Enter', true)).toBeUndefined()
    expect(keyed(rows, -1, 'ArrowDown', true)).toEqual({ go: 0 })
  })

  it('draws the rows in sight and a few more of fifty thousand', () => {
    expect(windowOf(50_000, 32, 0, 640)).toEqual({ from: 0, to: 28 })
    expect(windowOf(50_000, 32, 32_000, 640)).toEqual({ from: 992, to: 1028 })
    expect(windowOf(3, 32, 0, 640)).toEqual({ from: 0, to: 3 })
  })
})
