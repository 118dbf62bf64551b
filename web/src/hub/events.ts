import type { Platform, Socket } from './platform'
import type { HubEvent } from './types'

export type Link =
  | { state: 'open' }
  | { state: 'connecting' }
  | { state: 'lost'; since: number; attempt: number; nextAt: number }

export interface StreamHandlers {
  event(event: HubEvent): void
  /** Something may have been missed: load everything again. Also called after the first hello. */
  resync(): void
  transient(message: Record<string, unknown>): void
  link(link: Link): void
}

const firstDelay = 500
const longestDelay = 15_000

/**
 * Keeps `/events` open. After a break it asks at the door for what was missed since the last sequence number, which the
 * hub sends before anything new, and then says up to where that reaches; an event is handed on once, in order of `seq`. Delays between attempts double up to 15 s, with a quarter of chance in them so that a
 * restarted hub is not met by every page in the same instant.
 */
export class EventStream {
  private socket: Socket | undefined
  private cancel: (() => void) | undefined
  private generation = 0
  private attempt = 0
  private lostSince: number | undefined
  private seq: number | undefined
  private helloSeq = 0
  /** The hub has greeted, and the socket has not closed since. */
  private open = false

  constructor(
    private readonly platform: Platform,
    private readonly on: StreamHandlers,
    private readonly path = '/events',
  ) {}

  get lastSeq(): number | undefined {
    return this.seq
  }

  start(): void {
    this.stop()
    this.on.link({ state: 'connecting' })
    this.dial()
  }

  /** Forgets the place in the stream too: the next start loads everything. */
  stop(): void {
    this.hangUp()
    this.seq = undefined
    this.attempt = 0
    this.lostSince = undefined
  }

  /** Do not wait for the next attempt. */
  retryNow(): void {
    if (this.lostSince === undefined) return
    this.hangUp()
    this.dial()
  }

  /** Says something now. False when nobody hears it: such words are not kept for later. */
  say(message: Record<string, unknown>): boolean {
    if (this.socket === undefined || !this.open) return false
    this.socket.send(JSON.stringify(message))
    return true
  }

  /** The network said it is gone; a socket may not notice that for minutes. */
  interrupted(): void {
    if (this.socket === undefined) return
    this.hangUp()
    this.lost()
  }

  private hangUp(): void {
    this.generation += 1
    this.cancel?.()
    this.cancel = undefined
    this.open = false
    this.socket?.close()
    this.socket = undefined
  }

  private dial(): void {
    this.generation += 1
    const mine = this.generation
    const current = (act: () => void) => () => {
      if (mine === this.generation) act()
    }
    const after = this.seq === undefined ? '' : `?after=${this.seq}`
    this.socket = this.platform.openSocket(this.path + after, {
      opened: () => undefined,
      message: text => {
        if (mine === this.generation) this.receive(text)
      },
      closed: current(() => {
        this.socket = undefined
        this.lost()
      }),
    })
  }

  private lost(): void {
    this.open = false
    const now = this.platform.now()
    this.lostSince ??= now
    const whole = Math.min(longestDelay, firstDelay * 2 ** this.attempt)
    const chance = (this.platform.randomBytes(1)[0] ?? 0) / 255
    const delay = Math.round(whole * (0.75 + chance / 4))
    this.attempt += 1
    this.on.link({ state: 'lost', since: this.lostSince, attempt: this.attempt, nextAt: now + delay })
    this.cancel = this.platform.after(delay, () => this.dial())
  }

  private receive(text: string): void {
    const message = parse(text)
    if (!message) return
    if (message.type === 'hello' && typeof message.seq === 'number') {
      this.hello(message.seq)
    } else if (message.type === 'resync') {
      this.seq = Math.max(this.helloSeq, this.seq ?? 0)
      this.on.resync()
    } else if (message.type === 'resumed' && typeof message.seq === 'number') {
      // Up to here nothing else was for us.
      this.seq = Math.max(this.helloSeq, this.seq ?? 0, message.seq)
    } else if (message.type === 'event') {
      this.event(message.event as HubEvent | undefined)
    } else {
      this.on.transient(message)
    }
  }

  private hello(seq: number): void {
    this.attempt = 0
    this.lostSince = undefined
    this.open = true
    this.on.link({ state: 'open' })
    const last = this.seq
    this.helloSeq = seq
    if (last === undefined || seq < last) {
      this.seq = seq
      this.on.resync()
    }
  }

  private event(event: HubEvent | undefined): void {
    if (typeof event?.seq !== 'number' || typeof event.type !== 'string') return
    if (this.seq !== undefined && event.seq <= this.seq) return
    this.seq = event.seq
    this.on.event(event)
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
