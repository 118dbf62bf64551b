/** Which bytes of a segment come next: positions are ms of the file's own time. */

import type { Cluster, Entry, Head } from './container.model'

/** ms; a picture is never longer without a frame that a decoder can begin with. */
export const longestRun = 10_500

const block = 64 << 10
const least = 96 << 10
const most = 2 << 20
/** Share of a run's bytes. */
const firstPicture = 0.3

/** All that is known of a segment's file. Grows while it is read. */
export interface Index {
  head: Head
  /** In order. */
  entries: Entry[]
  /** `entries` are all there are: between two of them nothing can begin. */
  whole: boolean
  /** When each frame that was read is shown; in order. */
  frames: number[]
  /** What was read without a hole; in order. */
  runs: Run[]
  /** ms; the last one read. */
  latest: number
}

/** Clusters that follow each other: bytes, and ms of their first and last frames. */
interface Run {
  begin: number
  end: number
  from: number
  until: number
}

export function newIndex(head: Head): Index {
  return { head, entries: head.entries ?? [], whole: head.entries !== undefined, frames: [], runs: [], latest: 0 }
}

export function learn(index: Index, clusters: readonly Cluster[]): void {
  for (const cluster of clusters) {
    if (cluster.key && !index.whole) insert(index.entries, { time: cluster.time, offset: cluster.offset })
    for (const frame of cluster.frames) insertFrame(index.frames, frame)
    addRun(index.runs, cluster)
    index.latest = Math.max(index.latest, cluster.frames.at(-1) ?? 0)
  }
}

function addRun(runs: Run[], { offset, size, frames }: Cluster): void {
  const [from, until] = [frames[0], frames.at(-1)]
  if (from === undefined || until === undefined) return
  const run = { begin: offset, end: offset + size, from, until }
  const at = runs.findLastIndex(one => one.begin <= offset)
  const before = runs[at]
  if (before && before.end >= run.end) return
  if (before && before.end >= run.begin) {
    before.end = run.end
    before.until = Math.max(before.until, until)
    join(runs, at)
  } else {
    runs.splice(at + 1, 0, run)
    join(runs, at + 1)
  }
}

/** With what follows it, if nothing is between them. */
function join(runs: Run[], at: number): void {
  const one = runs[at]
  const next = runs[at + 1]
  if (!one || !next || next.begin > one.end) return
  one.end = Math.max(one.end, next.end)
  one.until = Math.max(one.until, next.until)
  runs.splice(at + 1, 1)
}

function insert(entries: Entry[], entry: Entry): void {
  const at = entries.findLastIndex(one => one.offset <= entry.offset)
  if (entries[at]?.offset !== entry.offset) entries.splice(at + 1, 0, entry)
}

function insertFrame(frames: number[], time: number): void {
  if (time > (frames.at(-1) ?? -1)) {
    frames.push(time)
    return
  }
  const at = lowerBound(frames, time)
  if (frames[at] !== time) frames.splice(at, 0, time)
}

/** Index of the first frame at or after `time`. */
export function lowerBound(frames: readonly number[], time: number): number {
  let low = 0
  let high = frames.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((frames[middle] ?? 0) < time) low = middle + 1
    else high = middle
  }
  return low
}

/** The frame before the one shown at `time`, or the one after it; undefined where something between them was not read. */
export function frameBeside({ frames, runs }: Index, time: number, step: -1 | 1): number | undefined {
  const shown = lowerBound(frames, time + 0.5) - 1
  const here = frames[shown]
  const wanted = frames[shown + step]
  if (wanted === undefined || here === undefined) return undefined
  const whole = runs.some(run => run.from <= Math.min(here, wanted) && Math.max(here, wanted) <= run.until)
  return whole ? wanted : undefined
}

/**
 * Where to begin to read so that `time` can be shown. Where the table is not known (the file is being written) a place
 * is estimated from which a decoder surely finds a beginning before `time`: `exact` is false, and what comes has to be
 * searched for the next cluster.
 */
export function beginAt(
  index: Index,
  time: number,
  size: number,
  duration: number,
): { offset: number; exact: boolean; time: number } {
  const known = index.entries.findLast(entry => entry.time <= time + 1)
  const first = { offset: index.head.first, exact: true, time: 0 }
  if (index.whole) return known ? { ...known, exact: true } : first
  if (known && time - known.time <= longestRun) return { ...known, exact: true }
  const from = time - longestRun
  if (from <= 500 || duration <= 0) return first
  const offset = index.head.first + Math.floor(((size - index.head.first) * from) / duration)
  return { offset: Math.max(index.head.first, offset - block), exact: false, time: from }
}

/**
 * Up to which byte to read in one request, from `offset` at `from`: enough to show `until`, in whole blocks. `rate` is
 * bytes per ms, as far as it is known.
 */
export function readUntil(offset: number, from: number, until: number, rate: number, size: number): number {
  const wanted = Math.min(most, Math.max(least, (until - from) * rate * 1.25))
  const end = Math.ceil((offset + wanted) / block) * block
  // A rest that is not worth a request of its own comes with the others.
  return size - end < block ? size : Math.min(size, end)
}

/**
 * Up to which byte to read from `offset` so that everything up to `until` (ms) is there; undefined where not all
 * beginnings are known. Between two of them the bytes are taken for evenly spread behind a first picture that is large.
 */
export function showUntil(index: Index, offset: number, until: number, size: number): number | undefined {
  if (!index.whole) return undefined
  const at = index.entries.findLastIndex(entry => entry.time <= until)
  const run = index.entries[at]
  const next = index.entries[at + 1]
  if (!run || !next) return undefined
  const share = firstPicture + (1 - firstPicture) * ((until - run.time) / Math.max(1, next.time - run.time))
  const end = Math.ceil(run.offset + (next.offset - run.offset) * Math.min(1, share))
  return end > offset && end <= size ? Math.min(end, offset + most) : undefined
}

/** Whether there is a frame at `time` in the file that was not read, as far as its table says. */
export function unread({ whole, entries, runs }: Index, time: number): boolean {
  const first = entries[0]
  if (!whole || !first || first.time > time) return false
  return !runs.some(run => run.from <= time && time <= run.until + 60)
}

/** The range of time that holds `at`; a hole shorter than a frame is none. */
export function rangeAt(ranges: readonly [number, number][], at: number): [number, number] | undefined {
  return ranges.find(([start, end]) => start <= at + 60 && at < end)
}
