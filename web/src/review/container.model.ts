/**
 * What a player has to know of the two containers of recordings, WebM (RFC 9559) and fragmented MP4 (ISO/IEC 14496-12):
 * where a decoder may begin, and when each frame is shown. Files are the recorder's: one track each, clusters or
 * fragments of about half a second. Whatever is torn or strange is taken as "no more to be read here".
 */

export type Kind = 'webm' | 'mp4'

/** Where a decoder may begin: ms of the file's own time, byte offset in the file. */
export interface Entry {
  time: number
  offset: number
}

export interface Head {
  kind: Kind
  /** Bytes that every source buffer needs first. */
  size: number
  /** Offset of the first cluster. */
  first: number
  /** What offsets of the table count from. */
  body: number
  /** Ticks of the container per second. */
  scale: number
  /** Where the table of entries stands; undefined when there is none (yet) or `entries` has it already. */
  table: number | undefined
  entries: Entry[] | undefined
}

/** A cluster or fragment: one run of frames. */
export interface Cluster {
  time: number
  offset: number
  size: number
  /** Begins with a frame that needs no other one. */
  key: boolean
  /** ms, in the order they are shown in. */
  frames: number[]
}

const EBML = 0x1a45dfa3
const SEGMENT = 0x18538067
const SEEK_HEAD = 0x114d9b74
const SEEK = 0x4dbb
const SEEK_ID = 0x53ab
const SEEK_POSITION = 0x53ac
const INFO = 0x1549a966
const SCALE = 0x2ad7b1
const TRACKS = 0x1654ae6b
const CLUSTER = 0x1f43b675
const TIMESTAMP = 0xe7
const SIMPLE_BLOCK = 0xa3
const CUES = 0x1c53bb6b
const CUE_POINT = 0xbb
const CUE_TIME = 0xb3
const CUE_PLACES = 0xb7
const CUE_OFFSET = 0xf1

interface Element {
  id: number
  start: number
  /** Behind its last byte; more than there are bytes when it is not whole, Infinity when its size is not known. */
  end: number
}

/** The element at `at`, as far as its head can be read. */
function element(bytes: Uint8Array, at: number): Element | undefined {
  const id = variable(bytes, at, true)
  if (!id) return undefined
  const size = variable(bytes, at + id.width, false)
  if (!size) return undefined
  const start = at + id.width + size.width
  const unknown = size.value === 2 ** (7 * size.width) - 1
  return { id: id.value, start, end: unknown ? Number.POSITIVE_INFINITY : start + size.value }
}

function variable(bytes: Uint8Array, at: number, keepMark: boolean): { value: number; width: number } | undefined {
  const first = bytes[at]
  if (!first) return undefined
  const width = Math.clz32(first) - 23
  if (at + width > bytes.length) return undefined
  let value = keepMark ? first : first & ((1 << (8 - width)) - 1)
  for (let i = 1; i < width; i += 1) value = value * 256 + (bytes[at + i] ?? 0)
  return { value, width }
}

function unsigned(bytes: Uint8Array, start: number, end: number): number {
  let value = 0
  for (let i = start; i < end; i += 1) value = value * 256 + (bytes[i] ?? 0)
  return value
}

function* children(bytes: Uint8Array, start: number, end: number): Generator<Element> {
  for (let at = start; at < Math.min(end, bytes.length); ) {
    const child = element(bytes, at)
    if (!child || child.end > Math.min(end, bytes.length)) return
    yield child
    at = child.end
  }
}

/** The beginning of a file. Undefined while it has not come whole, or when it is neither. */
export function readHead(bytes: Uint8Array): Head | undefined {
  return element(bytes, 0)?.id === EBML ? webmHead(bytes) : mp4Head(bytes)
}

function webmHead(bytes: Uint8Array): Head | undefined {
  const ebml = element(bytes, 0)
  const segment = ebml && element(bytes, ebml.end)
  if (segment?.id !== SEGMENT) return undefined
  let table: number | undefined
  let scale = 1000
  for (const child of children(bytes, segment.start, bytes.length)) {
    if (child.id === SEEK_HEAD) table = cuesAt(bytes, child, segment.start)
    if (child.id === INFO)
      for (const info of children(bytes, child.start, child.end))
        if (info.id === SCALE) scale = 1e9 / Math.max(1, unsigned(bytes, info.start, info.end))
    if (child.id === TRACKS)
      return { kind: 'webm', size: child.end, first: child.end, body: segment.start, scale, table, entries: undefined }
  }
  return undefined
}

function cuesAt(bytes: Uint8Array, head: Element, segment: number): number | undefined {
  for (const seek of children(bytes, head.start, head.end)) {
    if (seek.id !== SEEK) continue
    let id = 0
    let position = 0
    for (const part of children(bytes, seek.start, seek.end)) {
      if (part.id === SEEK_ID) id = unsigned(bytes, part.start, part.end)
      if (part.id === SEEK_POSITION) position = unsigned(bytes, part.start, part.end)
    }
    if (id === CUES) return segment + position
  }
  return undefined
}

/** The table of a WebM file; `bytes` begin at it. Undefined when it is not whole. */
export function readCues(bytes: Uint8Array, head: Head): Entry[] | undefined {
  const cues = element(bytes, 0)
  if (cues?.id !== CUES || cues.end > bytes.length) return undefined
  const entries: Entry[] = []
  for (const point of children(bytes, cues.start, cues.end)) {
    if (point.id !== CUE_POINT) continue
    let time = 0
    let offset = -1
    for (const part of children(bytes, point.start, point.end)) {
      if (part.id === CUE_TIME) time = unsigned(bytes, part.start, part.end)
      if (part.id === CUE_PLACES)
        for (const place of children(bytes, part.start, part.end))
          if (place.id === CUE_OFFSET) offset = unsigned(bytes, place.start, place.end)
    }
    if (offset >= 0) entries.push({ time: (time * 1000) / head.scale, offset: head.body + offset })
  }
  return entries
}

interface Box {
  kind: string
  start: number
  end: number
}

function box(bytes: Uint8Array, at: number): Box | undefined {
  if (at + 8 > bytes.length) return undefined
  const size = unsigned(bytes, at, at + 4)
  if (size < 8) return undefined
  return { kind: String.fromCharCode(...bytes.subarray(at + 4, at + 8)), start: at + 8, end: at + size }
}

function* boxes(bytes: Uint8Array, start: number, end: number): Generator<Box> {
  for (let at = start; at < end; ) {
    const found = box(bytes, at)
    if (!found || found.end > end) return
    yield found
    at = found.end
  }
}

function inside(bytes: Uint8Array, around: Box, ...path: string[]): Box | undefined {
  let here: Box | undefined = around
  for (const kind of path) {
    const parent: Box | undefined = here
    here = parent && [...boxes(bytes, parent.start, parent.end)].find(one => one.kind === kind)
  }
  return here
}

function mp4Head(bytes: Uint8Array): Head | undefined {
  let scale = 0
  let size = 0
  let entries: Entry[] | undefined
  for (let at = 0; ; ) {
    const found = box(bytes, at)
    if (!found || (found.end > bytes.length && found.kind !== 'moof')) return undefined
    if (found.kind === 'moov') {
      const media = inside(bytes, found, 'trak', 'mdia', 'mdhd')
      scale = media ? unsigned(bytes, media.start + 12, media.start + 16) : 0
      size = found.end
    }
    if (found.kind === 'sidx') entries = references(bytes, found)
    // The room of the table, or what the table left of it, stands before the first fragment.
    const first = found.kind === 'free' ? found.end : found.kind === 'moof' ? at : 0
    if (size && first)
      return scale ? { kind: 'mp4', size, first, body: 0, scale, table: undefined, entries } : undefined
    if (first) return undefined
    at = found.end
  }
}

/** Of a `sidx` of version 0: where the runs begin that begin with a key frame. */
function references(bytes: Uint8Array, table: Box): Entry[] {
  const at = table.start
  const scale = unsigned(bytes, at + 8, at + 12) || 1
  let time = unsigned(bytes, at + 12, at + 16)
  let offset = table.end + unsigned(bytes, at + 16, at + 20)
  const count = unsigned(bytes, at + 22, at + 24)
  const entries: Entry[] = []
  for (let i = 0, row = at + 24; i < count && row + 12 <= table.end; i += 1, row += 12) {
    entries.push({ time: (time * 1000) / scale, offset })
    offset += unsigned(bytes, row, row + 4) & 0x7fffffff
    time += unsigned(bytes, row + 4, row + 8)
  }
  return entries
}

/** Whole clusters at the beginning of `bytes`, which stand at `base` in the file; `used` bytes are behind them. */
export function readClusters(bytes: Uint8Array, base: number, head: Head): { clusters: Cluster[]; used: number } {
  const clusters: Cluster[] = []
  let at = 0
  while (at < bytes.length) {
    const end =
      head.kind === 'webm' ? webmCluster(bytes, at, base, head, clusters) : fragment(bytes, at, base, head, clusters)
    if (end === undefined) break
    at = end
  }
  return { clusters, used: at }
}

/** Its end; what is no cluster is passed over. Undefined when it is not whole. */
function webmCluster(bytes: Uint8Array, at: number, base: number, head: Head, into: Cluster[]): number | undefined {
  const found = element(bytes, at)
  if (!found || found.end > bytes.length) return undefined
  if (found.id !== CLUSTER) return found.end
  const ms = 1000 / head.scale
  let origin = 0
  let key: boolean | undefined
  const frames: number[] = []
  for (const child of children(bytes, found.start, found.end)) {
    if (child.id === TIMESTAMP) origin = unsigned(bytes, child.start, child.end)
    if (child.id !== SIMPLE_BLOCK || child.end - child.start < 5) continue
    const relative = (unsigned(bytes, child.start + 1, child.start + 3) << 16) >> 16
    key ??= ((bytes[child.start + 3] ?? 0) & 0x80) !== 0
    frames.push((origin + relative) * ms)
  }
  frames.sort((a, b) => a - b)
  into.push({ time: origin * ms, offset: base + at, size: found.end - at, key: key ?? false, frames })
  return found.end
}

function fragment(bytes: Uint8Array, at: number, base: number, head: Head, into: Cluster[]): number | undefined {
  const first = box(bytes, at)
  if (!first || first.end > bytes.length) return undefined
  if (first.kind !== 'moof') return first.end
  const data = box(bytes, first.end)
  if (data?.kind !== 'mdat' || data.end > bytes.length) return undefined
  const track = inside(bytes, first, 'traf')
  const began = track && inside(bytes, track, 'tfdt')
  const run = track && inside(bytes, track, 'trun')
  if (began && run) {
    const wide = bytes[began.start] === 1
    let time = unsigned(bytes, began.start + 4, began.start + (wide ? 12 : 8))
    const decoded = time
    const count = unsigned(bytes, run.start + 4, run.start + 8)
    const frames: number[] = []
    // The recorder's rows: duration, size, flags, offset of the time it is shown at.
    for (let i = 0, row = run.start + 12; i < count && row + 16 <= run.end; i += 1, row += 16) {
      frames.push(((time + (unsigned(bytes, row + 12, row + 16) | 0)) * 1000) / head.scale)
      time += unsigned(bytes, row, row + 4)
    }
    frames.sort((a, b) => a - b)
    const key = (unsigned(bytes, run.start + 20, run.start + 24) & 0x10000) === 0
    into.push({ time: (decoded * 1000) / head.scale, offset: base + at, size: data.end - at, key, frames })
  }
  return data.end
}

/** Where in the midst of a file the next cluster begins, -1 when there is none in these bytes. */
export function findCluster(bytes: Uint8Array, kind: Kind): number {
  const [a, b, c, d] = kind === 'webm' ? [0x1f, 0x43, 0xb6, 0x75] : [0x6d, 0x6f, 0x6f, 0x66]
  for (let at = kind === 'webm' ? 0 : 4; at + 12 <= bytes.length; at += 1) {
    if (bytes[at] !== a || bytes[at + 1] !== b || bytes[at + 2] !== c || bytes[at + 3] !== d) continue
    // Four bytes occur in pictures, too: what follows has to be what the recorder writes.
    if (kind === 'webm' && (bytes[at + 4] ?? 0) >> 4 === 1 && bytes[at + 8] === TIMESTAMP) return at
    if (kind === 'mp4' && bytes[at + 8] === 0x6d && bytes[at + 9] === 0x66 && bytes[at + 10] === 0x68) return at - 4
  }
  return -1
}
