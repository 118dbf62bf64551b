import { PieceReader } from './pieces.model'

/** A file that is not given out; `status` is HTTP's, 0 when the hub was not reached. */
export class Unreadable extends Error {
  constructor(readonly status: number) {
    super(`HTTP ${status}`)
  }
}

export interface Answer {
  bytes: Uint8Array<ArrayBuffer>
  /** Size of the whole file, as it is now. */
  size: number
}

/** How a range is asked for. */
export interface Wish {
  /** 0: somebody waits for it; 1, 2: it is fetched in advance. */
  priority: number
  /** Of what is urgent the heaviest comes first: px of the picture. */
  weight?: number
  /** Ends what is fetched in advance, when it is needed no more. */
  signal?: AbortSignal
}

/** It was asked for in advance, and is needed no more. */
export class GivenUp extends Error {}

interface Waiting {
  priority: number
  run(): void
}

interface Wanted {
  url: string
  start: number
  end: number
  weight: number
  resolve(answer: Answer): void
  reject(reason: unknown): void
}

/** A browser opens six connections to a host: five for media, so that the page's own requests never wait behind them. */
const atOnce = 5
/** Files that are asked for together, of each at most so many bytes. */
const together = 12
const pieceMost = 2 << 20
const bundlesAtOnce = 3
const now: Wish = { priority: 0 }

/** Ranges of files, the most urgent first, what is urgent in few requests. One for all players of a page. */
export class Fetcher {
  private readonly waiting: Waiting[] = []
  private running = 0
  private urgent: Wanted[] = []
  /** Requests for what is urgent that are on their way; the next one is about to be made. */
  private bundles = 0
  private soon = false

  /** Bytes from `start` up to `end` (not included), fewer where the file ends; none when it ends before. Unreadable, GivenUp. */
  range(url: string, start: number, end: number, wish: Wish): Promise<Answer> {
    if (wish.priority > 0 || end - start > pieceMost) return this.one(url, start, end, wish)
    return new Promise((resolve, reject) => {
      this.urgent.push({ url, start, end, weight: wish.weight ?? 0, resolve, reject })
      this.gather()
    })
  }

  /** Everybody who needs something after the same jump says so in the same turn; who comes late waits for who comes later. */
  private gather(): void {
    if (this.soon || this.urgent.length === 0 || this.bundles >= bundlesAtOnce) return
    this.soon = true
    setTimeout(() => this.send(), 0)
  }

  private send(): void {
    this.soon = false
    const urgent = this.urgent.toSorted((a, b) => b.weight - a.weight)
    this.urgent = []
    const recordings = new Map<string, Wanted[]>()
    for (const one of urgent) {
      const recording = one.url.slice(0, one.url.indexOf('/media/'))
      recordings.set(recording, [...(recordings.get(recording) ?? []), one])
    }
    for (const [recording, wanted] of recordings)
      for (let at = 0; at < wanted.length; at += together) {
        const some = wanted.slice(at, at + together)
        this.bundles += 1
        void this.several(recording, some).then(() => {
          this.bundles -= 1
          this.gather()
        })
      }
  }

  private async several(recording: string, wanted: Wanted[]): Promise<void> {
    const left = [...wanted]
    const [only] = wanted
    if (only && wanted.length === 1)
      return this.one(only.url, only.start, only.end, now).then(only.resolve, only.reject)
    try {
      await this.turn(now, async () => {
        const of = wanted.map(one => `${one.url.slice(recording.length + '/media/'.length)}:${one.start}-${one.end}`)
        const address = `${recording}/pieces?of=${encodeURIComponent(of.join())}`
        const response = await fetch(address, { credentials: 'same-origin', cache: 'no-store' })
        if (!response.ok || !response.body) throw new Unreadable(response.status)
        const reader = new PieceReader()
        const stream = response.body.getReader()
        for (;;) {
          const { done, value } = await stream.read()
          if (done) break
          for (const { status, size, bytes } of reader.receive(value)) {
            const one = left.shift()
            if (status === 206 || status === 416) one?.resolve({ bytes, size })
            else one?.reject(new Unreadable(status))
          }
        }
      })
    } catch {
      // Each alone says what is the matter with it.
    }
    for (const one of left) this.one(one.url, one.start, one.end, now).then(one.resolve, one.reject)
  }

  private one(url: string, start: number, end: number, wish: Wish): Promise<Answer> {
    return this.turn(wish, () => fetchRange(url, start, end, wish.signal))
  }

  private async turn<T>(wish: Wish, act: () => Promise<T>): Promise<T> {
    if (this.running >= atOnce) await this.queued(wish)
    if (wish.signal?.aborted) {
      // Its turn is somebody else's.
      this.waiting.shift()?.run()
      throw new GivenUp()
    }
    this.running += 1
    try {
      return await act()
    } finally {
      this.running -= 1
      this.waiting.shift()?.run()
    }
  }

  private queued({ priority, signal }: Wish): Promise<void> {
    return new Promise((run, reject) => {
      const one = { priority, run }
      this.queue(one)
      const leave = () => {
        const at = this.waiting.indexOf(one)
        if (at < 0) return
        this.waiting.splice(at, 1)
        reject(new GivenUp())
      }
      signal?.addEventListener('abort', leave, { once: true })
    })
  }

  private queue(one: Waiting): void {
    const at = this.waiting.findIndex(other => other.priority > one.priority)
    this.waiting.splice(at < 0 ? this.waiting.length : at, 0, one)
  }
}

async function fetchRange(url: string, start: number, end: number, signal?: AbortSignal): Promise<Answer> {
  const headers = { Range: `bytes=${start}-${end - 1}` }
  // What was sought once is seldom sought again: keeping it costs more than it saves.
  const wanted = fetch(url, { headers, credentials: 'same-origin', cache: 'no-store', signal: signal ?? null })
  const response = await wanted.catch(() => undefined)
  if (signal?.aborted) throw new GivenUp()
  if (!response) throw new Unreadable(0)
  const size = Number(/\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '')?.[1] ?? Number.NaN)
  if (response.status === 416) {
    await response.body?.cancel()
    return { bytes: new Uint8Array(0), size: Number.isNaN(size) ? start : size }
  }
  if (!response.ok) {
    await response.body?.cancel()
    throw new Unreadable(response.status)
  }
  const bytes = new Uint8Array(
    await response.arrayBuffer().catch(() => {
      throw signal?.aborted ? new GivenUp() : new Unreadable(0)
    }),
  )
  if (response.status === 206) return { bytes, size: Number.isNaN(size) ? start + bytes.length : size }
  return { bytes: bytes.slice(start, end), size: bytes.length }
}
