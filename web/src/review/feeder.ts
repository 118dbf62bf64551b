import { findCluster, readClusters, readCues, readHead } from './container.model'
import { type Answer, type Fetcher, Unreadable } from './fetcher'
import { beginAt, type Index, learn, newIndex, rangeAt, readUntil } from './reading.model'
import { isOpen, type Part } from './tracks.model'

export type Failure = 'codec' | 'gone' | 'forbidden' | 'network'

/** What was learnt of a file; kept when its element goes, so that coming back costs one request. */
export interface Known {
  index: Index
  init: Uint8Array<ArrayBuffer>
}

interface Reading {
  /** Of the next byte. */
  offset: number
  /** Read, but not yet a whole cluster. */
  rest: Uint8Array<ArrayBuffer>
  /** ms; where it began and the last frame it came to. */
  from: number
  until: number
  /** Begins in the midst of the file: the next cluster has to be found. */
  lost: boolean
  /** What it began for. */
  goal: number
}

const small = 384 << 10
const headBytes = 12 << 10
const tableBytes = 16 << 10
/** ms of the medium kept ready at speed 1. */
const ahead = 10_000
const scant = 400
const behind = 15_000
const pollEvery = 800
const retryAfter = [500, 1000, 2000, 4000]
/** A medium that is being written has no end yet. */
const openEnd = 86_400

/** Fills one media element with one segment: fetches what is near the moment wanted, and no more. */
export class Feeder {
  failure: Failure | undefined
  private readonly source = new MediaSource()
  private readonly address = URL.createObjectURL(this.source)
  private buffer: SourceBuffer | undefined
  private known: Known | undefined
  private reading: Reading | undefined
  private size: number
  private target = 0
  private rate = 1
  private urgent = false
  private ahead = scant
  private pumping = false
  private closed = false
  private tries = 0
  /** The source buffer has the head. */
  private begun = false
  private vain = 0
  /** Clusters that came with the head. */
  private early: Answer | undefined
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private part: Part,
    readonly media: HTMLMediaElement,
    private readonly fetcher: Fetcher,
    private readonly library: Map<string, Known>,
    private readonly changed: () => void,
    /** Told the last ms of a file that is being written. */
    private readonly grown: (part: Part, until: number) => void,
  ) {
    this.size = part.segment.bytes
    this.known = library.get(part.key)
    const { mime } = part.segment
    if (!MediaSource.isTypeSupported(mime)) {
      this.failure = 'codec'
      return
    }
    this.source.addEventListener('sourceopen', () => this.opened(mime), { once: true })
    media.src = this.address
  }

  get index(): Index | undefined {
    return this.known?.index
  }

  update(part: Part): void {
    this.part = part
  }

  /**
   * This moment (ms of the file) is to be shown; `urgent`: it is on air and others may wait for it. Not `ample`: others
   * still wait for their first picture, so that nothing is fetched in advance.
   */
  want(time: number, rate: number, urgent: boolean, ample = true): void {
    this.target = Math.max(0, time)
    this.rate = rate
    this.urgent = urgent
    this.ahead = ample ? ahead : scant
    if (!this.pumping && !this.timer) void this.pump()
  }

  /** Whether there is data at the moment wanted. */
  has(time: number): boolean {
    return rangeAt(this.ranges(), time) !== undefined
  }

  close(): void {
    this.closed = true
    clearTimeout(this.timer)
    this.media.pause()
    this.media.removeAttribute('src')
    this.media.load()
    URL.revokeObjectURL(this.address)
  }

  private opened(mime: string): void {
    if (this.closed) return
    try {
      this.buffer = this.source.addSourceBuffer(mime)
    } catch {
      this.fail('codec')
      return
    }
    void this.pump()
  }

  private fail(failure: Failure): void {
    this.failure = failure
    this.changed()
  }

  private async pump(): Promise<void> {
    if (this.pumping || this.closed || this.failure) return
    this.pumping = true
    try {
      while (!this.closed && (await this.step())) this.tries = 0
    } catch (error) {
      this.trouble(error)
    } finally {
      this.pumping = false
    }
  }

  private trouble(error: unknown): void {
    if (this.closed) return
    const status = error instanceof Unreadable ? error.status : 0
    if (status === 403 || status === 401) this.fail('forbidden')
    else if (status === 404) this.fail('gone')
    else if (!(error instanceof Unreadable)) this.fail('codec')
    else {
      const wait = retryAfter[this.tries]
      this.tries += 1
      if (wait === undefined) this.fail('network')
      else this.again(wait)
    }
  }

  private again(ms: number): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.timer = undefined
      void this.pump()
    }, ms)
  }

  /** One request, or none when enough is there: then false. */
  private async step(): Promise<boolean> {
    this.known ??= await this.learnFile()
    if (!this.buffer || this.closed) return false
    if (!this.begun) await this.begin(this.known)
    if (this.closed) return false
    const at = this.target
    const range = rangeAt(this.ranges(), at)
    if (range && range[1] - at >= this.ahead * Math.max(1, this.rate)) {
      await this.trim(at)
      return false
    }
    const reading = this.choose(this.known.index, range)
    const open = isOpen(this.part.segment)
    if (!open && reading.offset >= this.size && reading.rest.length === 0) {
      this.finish()
      return false
    }
    const wanted = Math.max(at, reading.until) + (range ? 3000 * Math.max(1, this.rate) : 1200)
    const size = open ? Number.POSITIVE_INFINITY : this.size
    const end = readUntil(reading.offset, reading.until, wanted, this.bytesPerMs(), size)
    const priority = range ? 2 : this.urgent ? 0 : 1
    const answer = await this.fetcher.range(this.part.segment.url, reading.offset, end, priority)
    if (this.closed) return false
    await this.take(reading, answer, open)
    if (open && reading.offset >= answer.size) {
      this.again(pollEvery)
      return false
    }
    return true
  }

  private async begin(known: Known): Promise<void> {
    await this.append(known.init)
    this.begun = true
    const { early } = this
    this.early = undefined
    if (!early) return
    this.reading = { offset: known.index.head.first, rest: none, from: 0, until: 0, lost: false, goal: -1 }
    await this.take(this.reading, early, false)
    known.index.whole = true
  }

  /** Goes on where it reads, or begins anew where it has to. */
  private choose(index: Index, range: [number, number] | undefined): Reading {
    const now = this.reading
    const goal = range ? range[1] : this.target
    if (now && goesOn(now, goal, range !== undefined)) return now
    // What was read and is not there after all cannot be decoded: the browser would be asked for ever.
    this.vain = !range && now?.goal === goal ? this.vain + 1 : 0
    if (this.vain > 2) throw new Error('The browser does not take this part of the file.')
    const duration = Math.max(1, this.part.segment.duration_ms, index.latest)
    const begin = beginAt(index, goal, Math.max(this.size, this.part.segment.bytes), duration)
    this.reading = { offset: begin.offset, rest: none, from: begin.time, until: begin.time, lost: !begin.exact, goal }
    return this.reading
  }

  private bytesPerMs(): number {
    const { duration_ms } = this.part.segment
    return duration_ms > 0 ? Math.max(this.size, this.part.segment.bytes) / duration_ms : 60
  }

  private async take(reading: Reading, answer: Answer, open: boolean): Promise<void> {
    this.size = answer.size
    const { index } = this.known as Known
    let bytes = join(reading.rest, answer.bytes)
    let base = reading.offset - reading.rest.length
    reading.offset += answer.bytes.length
    if (reading.lost) {
      const at = findCluster(bytes, index.head.kind)
      if (at < 0) {
        reading.rest = bytes.slice(Math.max(0, bytes.length - 16))
        return
      }
      bytes = bytes.subarray(at)
      base += at
      reading.lost = false
    }
    const { clusters, used } = readClusters(bytes, base, index.head)
    learn(index, clusters)
    const last = clusters.at(-1)
    if (last) {
      await this.append(bytes.subarray((clusters[0]?.offset ?? base) - base, last.offset + last.size - base))
      reading.until = last.frames.at(-1) ?? last.time
      if (open) this.grown(this.part, reading.until)
    }
    // The rest of a file that has ended is torn, or no medium.
    const ended = !open && reading.offset >= answer.size
    reading.rest = ended ? none : bytes.slice(used)
    this.changed()
  }

  /** The head, and where decoders may begin. */
  private async learnFile(): Promise<Known> {
    const { url, bytes: size } = this.part.segment
    const open = isOpen(this.part.segment)
    const priority = this.urgent ? 0 : 2
    const whole = !open && size > 0 && size <= small
    const tail = !open && !whole && url.endsWith('.webm')
    const [answer, table] = await Promise.all([
      this.fetcher.range(url, 0, whole ? size : headBytes, priority),
      tail ? this.fetcher.range(url, Math.max(0, size - tableBytes), size, priority) : undefined,
    ])
    this.size = answer.size
    const head = readHead(answer.bytes)
    if (!head) throw open ? new Unreadable(0) : new Error('The head of the file is not whole.')
    const index = newIndex(head)
    if (table && head.table !== undefined) await this.learnTable(index, head.table, table, priority)
    const known = { index, init: answer.bytes.slice(0, head.size) }
    this.library.set(this.part.key, known)
    if (whole) this.early = { bytes: answer.bytes.slice(head.first), size: answer.size }
    return known
  }

  private async learnTable(index: Index, at: number, tail: Answer, priority: number): Promise<void> {
    const base = tail.size - tail.bytes.length
    const bytes =
      at >= base
        ? tail.bytes.subarray(at - base)
        : (await this.fetcher.range(this.part.segment.url, at, tail.size, priority)).bytes
    const entries = readCues(bytes, index.head)
    if (!entries) return
    index.entries = entries
    index.whole = true
  }

  private ranges(): [number, number][] {
    const found = this.buffer?.buffered
    return Array.from({ length: found?.length ?? 0 }, (_, i) => [
      (found?.start(i) ?? 0) * 1000,
      (found?.end(i) ?? 0) * 1000,
    ])
  }

  private async append(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { buffer } = this
    if (!buffer || this.closed || bytes.length === 0) return
    try {
      buffer.appendBuffer(bytes)
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'QuotaExceededError') throw error
      // The browser has no more room: what is far from the moment goes.
      await this.done(() => buffer.remove(0, Math.max(0.001, this.target / 1000 - 2)))
      await this.done(() => buffer.remove(this.target / 1000 + 20, openEnd))
      buffer.appendBuffer(bytes)
    }
    await this.done()
    // Without a duration a moment that has not come yet cannot be sought.
    if (this.source.readyState === 'open' && !buffer.updating && isOpen(this.part.segment)) {
      if (this.source.duration !== openEnd) this.source.duration = openEnd
    }
  }

  private done(begin?: () => void): Promise<void> {
    const { buffer } = this
    if (!buffer || this.closed) return Promise.resolve()
    begin?.()
    if (!buffer.updating) return Promise.resolve()
    return new Promise(resolve => buffer.addEventListener('updateend', () => resolve(), { once: true }))
  }

  private async trim(at: number): Promise<void> {
    const start = this.ranges()[0]?.[0]
    if (start === undefined || at - start < 2 * behind || !this.buffer || this.buffer.updating) return
    await this.done(() => this.buffer?.remove(0, (at - behind) / 1000))
  }

  private finish(): void {
    if (this.source.readyState === 'open' && this.buffer && !this.buffer.updating) this.source.endOfStream()
  }
}

/** Whether it comes to `goal` without a new beginning; `joins`: there is media right up to the goal. */
function goesOn(reading: Reading, goal: number, joins: boolean): boolean {
  if (joins) return Math.abs(reading.until - goal) < 1500
  return reading.from <= goal && reading.until <= goal && goal - reading.until < 12_000
}

const none = new Uint8Array(0)

function join(a: Uint8Array<ArrayBuffer>, b: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (a.length === 0) return b
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
