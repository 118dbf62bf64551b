/** The head of a file, and where decoders may begin in it: what has to be known before anything of it is read. */

import { readCues, readHead } from './container.model'
import { type Answer, type Fetcher, Unreadable, type Wish } from './fetcher'
import { type Index, newIndex } from './reading.model'
import { isOpen, type Part } from './tracks.model'

/** What was learnt of a file; kept when its element goes, so that coming back costs one request. */
export interface Known {
  index: Index
  init: Uint8Array<ArrayBuffer>
}

export interface Learnt {
  known: Known
  /** Of the whole file, as it is now. */
  size: number
  /** All clusters, where they came with the head. */
  early: Answer | undefined
}

/** A file up to this size comes with its head. */
const small = 384 << 10
const headBytes = 12 << 10
const tableBytes = 16 << 10

/** Unreadable, GivenUp; another error where the file is none of the recorder's. */
export async function learnFile(part: Part, fetcher: Fetcher, wish: Wish): Promise<Learnt> {
  const { url, bytes: size } = part.segment
  const open = isOpen(part.segment)
  const whole = !open && size > 0 && size <= small
  const tail = !open && !whole && url.endsWith('.webm')
  const [answer, table] = await Promise.all([
    fetcher.range(url, 0, whole ? size : headBytes, wish),
    tail ? fetcher.range(url, Math.max(0, size - tableBytes), size, wish) : undefined,
  ])
  const head = readHead(answer.bytes)
  if (!head) throw open ? new Unreadable(0) : new Error('The head of the file is not whole.')
  const index = newIndex(head)
  if (table && head.table !== undefined) await learnTable(index, url, head.table, table, fetcher, wish)
  return {
    known: { index, init: answer.bytes.slice(0, head.size) },
    size: answer.size,
    early: whole ? { bytes: answer.bytes.slice(head.first), size: answer.size } : undefined,
  }
}

async function learnTable(
  index: Index,
  url: string,
  at: number,
  tail: Answer,
  fetcher: Fetcher,
  wish: Wish,
): Promise<void> {
  const base = tail.size - tail.bytes.length
  const bytes = at >= base ? tail.bytes.subarray(at - base) : (await fetcher.range(url, at, tail.size, wish)).bytes
  const entries = readCues(bytes, index.head)
  if (!entries) return
  index.entries = entries
  index.whole = true
}
