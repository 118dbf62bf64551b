/** Which bytes of a segment come next: positions are ms of the file's own time. */

import type { Cluster, Entry, Head } from './container.model'

/** ms; a picture is never longer without a frame that a decoder can begin with. */
export const longestRun = 10_500

const block = 64 << 10
const least = 96 << 10
const most = 2 << 20

/** All that is known of a segment's file. Grows while it is read. */
export interface Index {
  head: Head
  /** In order. */
  entries: Entry[]
  /** `entries` are all there are: between two of them nothing can begin. */
  whole: boolean
  /** When each frame that was read is shown; in order. */
  frames: number[]
  /** ms; the last one read. */
  latest: number
}

export function newIndex(head: Head): Index {
  return { head, entries: head.entries ?? [], whole: head.entries !== undefined, frames: [], latest: 0 }
}

export function learn(index: Index, clusters: readonly Cluster[]): void {
  for (const cluster of clusters) {
    if (cluster.key && !index.whole) insert(index.entries, { time: cluster.time, offset: cluster.offset })
    for (const frame of cluster.frames) insertFrame(index.frames, frame)
    index.latest = Math.max(index.latest, cluster.frames.at(-1) ?? 0)
  }
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

/**
 * The frame shown at `time`, one before it or one after it; undefined where it has not been read. Frames further apart
 * than two seconds are not neighbours: something between them was not read.
 */
export function frameBeside(frames: readonly number[], time: number, step: -1 | 1): number | undefined {
  const shown = lowerBound(frames, time + 0.5) - 1
  const here = frames[shown]
  const wanted = frames[shown + step]
  if (wanted === undefined) return undefined
  return Math.abs(wanted - (here ?? time)) > 2000 ? undefined : wanted
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

/** The range of time that holds `at`; a hole shorter than a frame is none. */
export function rangeAt(ranges: readonly [number, number][], at: number): [number, number] | undefined {
  return ranges.find(([start, end]) => start <= at + 60 && at < end)
}
