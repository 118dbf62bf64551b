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

/** A browser opens six connections to a host: five for media, so that the page's own requests never wait behind them. */
const atOnce = 5

/** Ranges of files, the most urgent first. One for all players of a page. */
export class Fetcher {
  private readonly waiting: Waiting[] = []
  private running = 0

  /** Bytes from `start` up to `end` (not included), fewer where the file ends; none when it ends before. Unreadable. */
  async range(url: string, start: number, end: number, priority: number): Promise<Answer> {
    if (this.running >= atOnce) await new Promise<void>(run => this.queue({ priority, run }))
    this.running += 1
    try {
      return await fetchRange(url, start, end)
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
  const response = await fetch(url, { headers, credentials: 'same-origin' }).catch(() => undefined)
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
