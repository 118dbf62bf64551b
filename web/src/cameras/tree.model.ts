import type { CameraApi } from '../hub/cameraApi'
import type { Camera, CameraQuery, TreeNode } from '../hub/cameraTypes'

/** The tree of cameras as rows of a list: nodes are loaded when they are opened, cameras a page at a time. */

export type Row =
  | { kind: 'node'; key: string; depth: number; node: TreeNode; open: boolean }
  | { kind: 'group'; key: string; depth: number; name: string; count: number }
  | { kind: 'camera'; key: string; depth: number; camera: Camera }
  /** There is more of `of`; loaded when the row comes into sight. */
  | { kind: 'more'; key: string; depth: number; of: string }
  | { kind: 'loading'; key: string; depth: number }
  | { kind: 'problem'; key: string; depth: number; of: string; error: unknown }
  | { kind: 'none'; key: string; depth: number }

export interface Filter {
  q: string
  online: boolean
  ptz: boolean
  alarm: boolean
  favourite: boolean
}

export const noFilter: Filter = { q: '', online: false, ptz: false, alarm: false, favourite: false }
/** The node above all others. */
export const root = ''
const pageSize = 200

/** Whether the list shows what was found instead of the tree. */
export function isSearch(filter: Filter): boolean {
  return filter.q.trim() !== '' || filter.alarm || filter.favourite
}

interface Branch {
  nodes: TreeNode[]
  cameras: Camera[]
  /** Cursor of the cameras to come; undefined when all are here. */
  next: string | undefined
  loading: boolean
  loaded: boolean
  error: unknown
  total: number
}

const fresh = (): Branch => ({
  nodes: [],
  cameras: [],
  next: undefined,
  loading: false,
  loaded: false,
  error: undefined,
  total: 0,
})

export interface TreeView {
  rows: Row[]
  filter: Filter
  /** Of a search: how many were found. */
  found: number | undefined
  /** Cameras in the whole tree; undefined until it is known. */
  total: number | undefined
  /** A search is under way: what is shown is the answer to another question. */
  stale: boolean
}

type Source = Pick<CameraApi, 'find' | 'nodes'>

export class CameraTree {
  private readonly branches = new Map<string, Branch>()
  private readonly open = new Set<string>()
  private readonly listeners = new Set<() => void>()
  private readonly byId = new Map<string, Camera>()
  private filter = noFilter
  /** A new one for every question: a late answer to an old one reaches nobody. */
  private result = fresh()
  private all: number | undefined
  private view: TreeView = { rows: [], filter: noFilter, found: undefined, total: undefined, stale: false }

  constructor(private readonly source: Source) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  snapshot = (): TreeView => this.view

  /** A camera that was in some answer. */
  known(id: string): Camera | undefined {
    return this.byId.get(id)
  }

  start(): void {
    void this.load(root)
  }

  /** Asks for everything that is open again: the link was broken, or a catalogue has changed. */
  reload(): void {
    for (const [key, branch] of this.branches) {
      if (key !== root && !this.open.has(key)) this.branches.delete(key)
      else branch.loaded = false
    }
    void this.load(root)
    for (const key of this.open) void this.load(key)
    if (isSearch(this.filter)) this.search()
  }

  setFilter(filter: Filter): void {
    const before = this.filter
    this.filter = filter
    if (isSearch(filter)) this.search()
    else if (before.online !== filter.online || before.ptz !== filter.ptz) this.reload()
    else this.draw()
  }

  toggle(node: string): void {
    if (this.open.delete(node)) this.draw()
    else {
      this.open.add(node)
      void this.load(node)
    }
  }

  isOpen(node: string): boolean {
    return this.open.has(node)
  }

  /** The next page of a node's cameras, or of what was found (`root`). */
  more(of: string): void {
    const branch = of === root ? this.result : this.branches.get(of)
    if (branch?.next && !branch.loading) void this.loadCameras(branch, this.query(of), branch.next)
  }

  again(of: string): void {
    if (of === root && isSearch(this.filter)) this.search()
    else void this.load(of)
  }

  /** Changes what is known of one camera without asking. */
  patch(id: string, change: Partial<Camera>): void {
    const old = this.byId.get(id)
    if (!old) return
    const camera = { ...old, ...change }
    this.byId.set(id, camera)
    const swap = (branch: Branch) => {
      const at = branch.cameras.findIndex(one => one.id === id)
      if (at >= 0) branch.cameras = branch.cameras.with(at, camera)
    }
    for (const branch of this.branches.values()) swap(branch)
    swap(this.result)
    this.draw()
  }

  private query(of: string): CameraQuery {
    const { q, online, ptz, alarm, favourite } = this.filter
    return of === root ? { q: q.trim(), online, ptz, alarm, favourite } : { node: of, online, ptz }
  }

  private search(): void {
    const before = this.result
    this.result = fresh()
    // What was found last stays in sight until there is something newer.
    if (before.loaded) Object.assign(this.result, { cameras: before.cameras, total: before.total, loaded: true })
    void this.loadCameras(this.result, this.query(root), undefined)
  }

  private async load(of: string): Promise<void> {
    const branch = this.branches.get(of) ?? fresh()
    this.branches.set(of, branch)
    if (branch.loading || branch.loaded) {
      this.draw()
      return
    }
    branch.loading = true
    branch.error = undefined
    this.draw()
    try {
      const node = this.node(of)
      branch.nodes = node?.leaf ? [] : await this.children(of)
      if (of === root) this.all = branch.nodes.reduce((sum, one) => sum + one.total, 0)
      branch.loading = false
      branch.loaded = true
      if (of !== root) await this.loadCameras(branch, this.query(of), undefined)
    } catch (error) {
      branch.error = error
    }
    branch.loading = false
    this.draw()
  }

  private async children(of: string): Promise<TreeNode[]> {
    const found: TreeNode[] = []
    let cursor: string | undefined
    do {
      const page = await this.source.nodes(of, cursor)
      found.push(...page.items)
      cursor = page.next ?? undefined
    } while (cursor)
    return found
  }

  private node(id: string): TreeNode | undefined {
    for (const branch of this.branches.values()) {
      const found = branch.nodes.find(node => node.id === id)
      if (found) return found
    }
    return undefined
  }

  private async loadCameras(branch: Branch, query: CameraQuery, cursor: string | undefined): Promise<void> {
    branch.loading = true
    branch.error = undefined
    this.draw()
    try {
      const page = await this.source.find({ ...query, limit: pageSize, ...(cursor && { cursor }) })
      branch.cameras = cursor ? [...branch.cameras, ...page.items] : page.items
      branch.next = page.next ?? undefined
      branch.total = page.total
      branch.loaded = true
      for (const camera of page.items) this.byId.set(camera.id, camera)
    } catch (error) {
      branch.error = error
    }
    branch.loading = false
    this.draw()
  }

  private draw(): void {
    const searching = isSearch(this.filter)
    const rows = searching ? this.foundRows() : this.treeRows()
    const found = searching && this.result.loaded ? this.result.total : undefined
    this.view = {
      rows,
      filter: this.filter,
      found,
      total: this.all,
      stale: searching && this.result.loading && !this.result.next,
    }
    for (const listener of this.listeners) listener()
  }

  private treeRows(): Row[] {
    const rows: Row[] = []
    const walk = (of: string, depth: number) => {
      const branch = this.branches.get(of)
      if (!branch) return
      for (const node of branch.nodes) {
        const open = this.open.has(node.id)
        rows.push({ kind: 'node', key: node.id, depth, node, open })
        if (open) walk(node.id, depth + 1)
      }
      for (const camera of branch.cameras) rows.push({ kind: 'camera', key: `${of}/${camera.id}`, depth, camera })
      rows.push(...tail(branch, of, depth))
    }
    walk(root, 0)
    return rows
  }

  /** What was found, under the names that stand above it. */
  private foundRows(): Row[] {
    const rows: Row[] = []
    let above: string[] = []
    for (const camera of this.result.cameras) {
      const path = camera.path.length ? camera.path : [camera.org.name]
      let same = 0
      while (same < path.length && path[same] === above[same]) same += 1
      for (let depth = same; depth < path.length; depth += 1) {
        const key = `group ${path.slice(0, depth + 1).join('/')} ${rows.length}`
        rows.push({ kind: 'group', key, depth, name: path[depth] ?? '', count: 0 })
      }
      above = path
      rows.push({ kind: 'camera', key: camera.id, depth: path.length, camera })
    }
    rows.push(...tail(this.result, root, 0))
    return rows
  }
}

function tail(branch: Branch, of: string, depth: number): Row[] {
  if (branch.error !== undefined) return [{ kind: 'problem', key: `problem ${of}`, depth, of, error: branch.error }]
  if (branch.next) return [{ kind: 'more', key: `more ${of} ${branch.cameras.length}`, depth, of }]
  if (branch.loading && !branch.cameras.length && !branch.nodes.length)
    return [{ kind: 'loading', key: `loading ${of}`, depth }]
  if (branch.loaded && !branch.loading && !branch.cameras.length && !branch.nodes.length)
    return [{ kind: 'none', key: `none ${of}`, depth }]
  return []
}

/** Rows that can have the mark: what one can do something with. */
export function canMark(row: Row | undefined): boolean {
  return row?.kind === 'node' || row?.kind === 'camera' || row?.kind === 'problem'
}

/** The next row in a direction that can have the mark; `from` when there is none. */
export function step(rows: readonly Row[], from: number, by: 1 | -1): number {
  for (let at = from + by; at >= 0 && at < rows.length; at += by) if (canMark(rows[at])) return at
  return from
}

/** The row above whose branch this row is in. */
export function parentOf(rows: readonly Row[], at: number): number {
  const depth = rows[at]?.depth ?? 0
  for (let i = at - 1; i >= 0; i -= 1) if ((rows[i]?.depth ?? 0) < depth && canMark(rows[i])) return i
  return at
}

/** What a key means where row `at` has the mark: another row to go to, or a row to open or close. */
export function keyed(
  rows: readonly Row[],
  at: number,
  key: string,
  typing: boolean,
): { go?: number; act?: Row } | undefined {
  const row = rows[at]
  if (key === 'ArrowDown') return { go: step(rows, at, 1) }
  if (key === 'ArrowUp') return { go: step(rows, at, -1) }
  if (key === 'Enter') {
    const act = row ?? rows.find(one => one.kind === 'camera')
    return act && { act }
  }
  if (typing || !row) return undefined
  if (key === 'ArrowRight') return row.kind === 'node' && !row.open ? { act: row } : undefined
  if (key === 'ArrowLeft') return row.kind === 'node' && row.open ? { act: row } : { go: parentOf(rows, at) }
  return undefined
}

/** Which rows are drawn for a scroll position, px. */
export function windowOf(
  count: number,
  rowHeight: number,
  top: number,
  height: number,
  over = 8,
): { from: number; to: number } {
  const from = Math.max(0, Math.floor(top / rowHeight) - over)
  return { from, to: Math.min(count, Math.ceil((top + height) / rowHeight) + over) }
}
