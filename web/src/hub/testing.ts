import type { HttpRequest, HttpResponse, Platform, Socket, SocketHandlers } from './platform'

/** A platform for tests: time stands still until `advance`, answers are given by `answer`, sockets are in `sockets`. */
export class TestPlatform implements Platform {
  time = 1_000_000
  requests: { url: string; request: HttpRequest }[] = []
  sockets: { path: string; on: SocketHandlers; sent: unknown[]; closed: boolean }[] = []
  answer: (url: string, request: HttpRequest) => { status: number; body?: unknown; date?: string } = () => ({
    status: 404,
  })
  private timers: { at: number; act: () => void }[] = []

  async fetch(url: string, request: HttpRequest): Promise<HttpResponse> {
    this.requests.push({ url, request })
    const { status, body, date } = this.answer(url, request)
    if (status === 0) throw new Error('no network')
    return {
      status,
      headers: { get: name => (name === 'Date' ? (date ?? null) : null) },
      text: async () => (body === undefined ? '' : JSON.stringify(body)),
    }
  }

  openSocket(path: string, on: SocketHandlers): Socket {
    const socket = { path, on, sent: [] as unknown[], closed: false }
    this.sockets.push(socket)
    return {
      send: text => socket.sent.push(JSON.parse(text)),
      close: () => {
        socket.closed = true
      },
    }
  }

  get socket() {
    const last = this.sockets.at(-1)
    if (!last) throw new Error('no socket was opened')
    return last
  }

  says(message: unknown): void {
    this.socket.on.message(JSON.stringify(message))
  }

  now(): number {
    return this.time
  }

  after(ms: number, act: () => void): () => void {
    const timer = { at: this.time + ms, act }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter(t => t !== timer)
    }
  }

  advance(ms: number): void {
    this.time += ms
    const due = this.timers.filter(t => t.at <= this.time)
    this.timers = this.timers.filter(t => t.at > this.time)
    for (const timer of due) timer.act()
  }

  randomBytes(count: number): Uint8Array {
    return new Uint8Array(count).fill(255)
  }

  language(): string {
    return 'zh-CN'
  }
}
