import { findCluster, readClusters } from './container.model'
import { type Answer, type Fetcher, GivenUp, Unreadable, type Wish } from './fetcher'
import { type Known, learnFile } from './learning'
import { beginAt, type Index, learn, rangeAt, readUntil, showUntil, unread } from './reading.model'
import { isOpen, type Part } from './tracks.model'
import type { Failure } from './view.model'

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

/** ms of the medium kept ready at speed 1. */
const ahead = 10_000
const scant = 400
/** And the rest of the cluster in which that is. */
const cluster = 500
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
  /** What is fetched in advance at the moment. */
  private inAdvance: AbortController | undefined

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
    // Who waits for a picture does not wait for what would have come behind another one.
    if (urgent && this.inAdvance && !this.has(time) && !this.comesTo(time)) this.inAdvance.abort()
    if (!this.pumping && !this.timer) void this.pump()
  }

  private comesTo(time: number): boolean {
    return this.reading !== undefined && goesOn(this.reading, time, false, this.known?.index.whole ?? false)
  }

  /** Whether there is data at the moment wanted. */
  has(time: number): boolean {
    return this.rangeOf(time) !== undefined
  }

  /** What is there begins just behind that moment: a browser takes the first frame of it, though there is one before. */
  misled(time: number): boolean {
    return !this.has(time) && rangeAt(this.ranges(), time) !== undefined
  }

  private rangeOf(time: number): [number, number] | undefined {
    const range = rangeAt(this.ranges(), time)
    return range && range[0] > time + 1 && this.index && unread(this.index, time) ? undefined : range
  }

  close(): void {
    this.closed = true
    this.inAdvance?.abort()
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
      while (!this.closed && (await this.step().catch(givenUp))) this.tries = 0
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
    this.known ??= await this.learn()
    if (!this.buffer || this.closed) return false
    if (!this.begun) await this.begin(this.known)
    if (this.closed) return false
    const at = this.target
    const range = this.rangeOf(at)
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
    const answer = await this.ask(reading, this.until(reading, range !== undefined), range !== undefined)
    if (this.closed) return false
    await this.take(reading, answer, open)
    if (open && reading.offset >= answer.size) {
      this.again(pollEvery)
      return false
    }
    return true
  }

  /** Up to which byte to read: to show something where there is nothing, or some seconds in advance. */
  private until(reading: Reading, more: boolean): number {
    const { index } = this.known as Known
    const from = Math.max(this.target, reading.until)
    const size = isOpen(this.part.segment) ? Number.POSITIVE_INFINITY : this.size
    const exact = more ? undefined : showUntil(index, reading.offset, from + scant + cluster, size)
    if (exact !== undefined) return exact
    const wanted = from + (more ? 3000 * Math.max(1, this.rate) : 1200)
    return readUntil(reading.offset, reading.until, wanted, this.bytesPerMs(), size)
  }

  private ask(reading: Reading, end: number, more: boolean): Promise<Answer> {
    return this.asking(more ? 2 : this.urgent ? 0 : 1, wish =>
      this.fetcher.range(this.part.segment.url, reading.offset, end, wish),
    )
  }

  /** What is fetched in advance can be given up. */
  private async asking<T>(priority: number, fetch: (wish: Wish) => Promise<T>): Promise<T> {
    if (priority === 0) return fetch({ priority, weight: this.media.clientWidth * this.media.clientHeight })
    const own = new AbortController()
    this.inAdvance = own
    try {
      return await fetch({ priority, signal: own.signal })
    } finally {
      this.inAdvance = undefined
    }
  }

  private async learn(): Promise<Known> {
    const learnt = await this.asking(this.urgent ? 0 : 2, wish => learnFile(this.part, this.fetcher, wish))
    this.size = learnt.size
    this.early = learnt.early
    this.library.set(this.part.key, learnt.known)
    return learnt.known
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
    if (now && goesOn(now, goal, range !== undefined, index.whole)) return now
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

/**
 * Whether it comes to `goal` without a new beginning; `joins`: there is media right up to the goal. Where all beginnings
 * are known nobody reads for long through what is not wanted.
 */
function goesOn(reading: Reading, goal: number, joins: boolean, whole: boolean): boolean {
  if (joins) return Math.abs(reading.until - goal) < 1500
  return reading.from <= goal && reading.until <= goal && goal - reading.until < (whole ? 3000 : 12_000)
}

/** Something else is wanted now: on with that. */
function givenUp(error: unknown): true {
  if (error instanceof GivenUp) return true
  throw error
}

const none = new Uint8Array(0)

function join(a: Uint8Array<ArrayBuffer>, b: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (a.length === 0) return b
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
