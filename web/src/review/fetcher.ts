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

interface Waiting {
  priority: number
  run(): void
}

interface Wanted {
  url: string
  start: number
  end: number
  resolve(answer: Answer): void
  reject(reason: unknown): void
}

/** A browser opens six connections to a host: five for media, so that the page's own requests never wait behind them. */
const atOnce = 5
/** Files that are asked for together, of each at most so many bytes. */
const together = 12
const pieceMost = 2 << 20

/** Ranges of files, the most urgent first, what is urgent in few requests. One for all players of a page. */
export class Fetcher {
  private readonly waiting: Waiting[] = []
  private running = 0
  private urgent: Wanted[] = []

  /** Bytes from `start` up to `end` (not included), fewer where the file ends; none when it ends before. Unreadable. */
  range(url: string, start: number, end: number, priority: number): Promise<Answer> {
    if (priority > 0 || end - start > pieceMost) return this.one(url, start, end, priority)
    return new Promise((resolve, reject) => {
      // Everybody who needs something after the same jump says so in the same turn of the page.
      if (this.urgent.length === 0) setTimeout(() => this.send(), 0)
      this.urgent.push({ url, start, end, resolve, reject })
    })
  }

  private send(): void {
    const { urgent } = this
    this.urgent = []
    const recordings = new Map<string, Wanted[]>()
    for (const one of urgent) {
      const recording = one.url.slice(0, one.url.indexOf('/media/'))
      recordings.set(recording, [...(recordings.get(recording) ?? []), one])
    }
    for (const [recording, wanted] of recordings)
      for (let at = 0; at < wanted.length; at += together) {
        const some = wanted.slice(at, at + together)
        const [only] = some
        if (some.length === 1 && only) this.one(only.url, only.start, only.end, 0).then(only.resolve, only.reject)
        else void this.several(recording, some)
      }
  }

  private async several(recording: string, wanted: Wanted[]): Promise<void> {
    const left = [...wanted]
    try {
      await this.turn(0, async () => {
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
    for (const one of left) this.one(one.url, one.start, one.end, 0).then(one.resolve, one.reject)
  }

  private one(url: string, start: number, end: number, priority: number): Promise<Answer> {
    return this.turn(priority, () => fetchRange(url, start, end))
  }

  private async turn<T>(priority: number, act: () => Promise<T>): Promise<T> {
    if (this.running >= atOnce) await new Promise<void>(run => this.queue({ priority, run }))
    this.running += 1
    try {
      return await act()
    } finally {
      this.running -= 1
      this.waiting.shift()?.run()
    }
  }

  private queue(one: Waiting): void {
    const at = this.waiting.findIndex(other => other.priority > one.priority)
    this.waiting.splice(at < 0 ? this.waiting.length : at, 0, one)
  }
}

async function fetchRange(url: string, start: number, end: number): Promise<Answer> {
  const headers = { Range: `bytes=${start}-${end - 1}` }
  // What was sought once is seldom sought again: keeping it costs more than it saves.
  const wanted = fetch(url, { headers, credentials: 'same-origin', cache: 'no-store' })
  const response = await wanted.catch(() => undefined)
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
  const bytes = new Uint8Array(await response.arrayBuffer())
  if (response.status === 206) return { bytes, size: Number.isNaN(size) ? start + bytes.length : size }
  return { bytes: bytes.slice(start, end), size: bytes.length }
}
