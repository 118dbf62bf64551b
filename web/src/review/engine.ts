import type { RecordingDetail } from '../hub/types'
import { correct, correctPaused, MasterClock } from './clock.model'
import { lengthOf, neededParts, type Part } from './tracks.model'

export interface PlayerView {
  /** ms from the start of the recording. */
  position: number
  playing: boolean
  buffering: boolean
  rate: number
  parts: Part[]
  /** Keys of parts that are on air now. */
  onAir: ReadonlySet<string>
  /** Keys of parts the browser could not play. */
  failed: ReadonlySet<string>
}

interface Element {
  media: HTMLMediaElement
  part: Part
  /** Since when it has kept the others waiting. */
  waitingSince: number | undefined
}

const tickEvery = 100
/** A pause shorter than this is not worth stopping everybody for. */
const holdAfter = 250
/** What has not come by then is left behind until it does. */
const patience = 8000

/** Drives every media element of a recording by one clock. */
export class PlayerEngine {
  readonly duration: number
  private readonly clock: MasterClock
  private readonly elements = new Map<string, Element>()
  private readonly listeners = new Set<() => void>()
  private readonly failed = new Set<string>()
  private view: PlayerView
  private timer: ReturnType<typeof setInterval> | undefined
  /** Just jumped (performance clock, ms): whoever is not there yet is waited for at once. */
  private soughtAt = Number.NEGATIVE_INFINITY

  constructor(private readonly recording: RecordingDetail) {
    this.duration = lengthOf(recording)
    this.clock = new MasterClock(this.duration)
    this.view = this.look(0)
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  snapshot = (): PlayerView => this.view

  start(): () => void {
    this.timer = setInterval(() => this.tick(), tickEvery)
    return () => {
      clearInterval(this.timer)
      for (const { media } of this.elements.values()) media.pause()
    }
  }

  play(): void {
    this.clock.play(performance.now())
    this.tick()
  }

  pause(): void {
    this.clock.pause(performance.now())
    this.tick()
  }

  toggle(): void {
    if (this.clock.playing) this.pause()
    else this.play()
  }

  seek(position: number): void {
    this.soughtAt = performance.now()
    this.clock.seek(this.soughtAt, position)
    this.tick()
  }

  /** By `ms`; one frame when it stands still. */
  step(ms: number): void {
    this.seek(this.clock.position(performance.now()) + ms)
  }

  setRate(rate: number): void {
    this.clock.setRate(performance.now(), rate)
    this.tick()
  }

  attach(part: Part, media: HTMLMediaElement): () => void {
    this.elements.set(part.key, { media, part, waitingSince: undefined })
    const failed = () => {
      this.failed.add(part.key)
      this.tick()
    }
    media.addEventListener('error', failed)
    return () => {
      media.removeEventListener('error', failed)
      media.pause()
      this.elements.delete(part.key)
    }
  }

  private tick(): void {
    const now = performance.now()
    if (this.clock.playing && this.clock.position(now) >= this.duration) this.clock.pause(now)
    const position = this.clock.position(now)
    const awaited = [...this.elements.values()].filter(element => this.follow(element, position, now))
    const longest = Math.max(0, ...awaited.map(element => now - (element.waitingSince ?? now)))
    const patient = now - this.soughtAt > 2 * holdAfter && !this.clock.waiting
    this.clock.hold(now, awaited.length > 0 && (!patient || longest >= holdAfter))
    const next = this.look(now)
    if (!same(this.view, next)) {
      this.view = next
      for (const listener of this.listeners) listener()
    }
  }

  /** Brings one element to where the clock is. True when the others should wait for it. */
  private follow(element: Element, position: number, now: number): boolean {
    const { media, part } = element
    const expected = position - part.segment.start_ms
    const onAir = expected >= 0 && expected < part.segment.duration_ms
    if (!onAir || this.failed.has(part.key)) {
      if (!media.paused) media.pause()
      if (expected < 0 && media.currentTime > 0.05 && !media.seeking) media.currentTime = 0
      element.waitingSince = undefined
      return false
    }
    if (media.readyState > 0 && !media.seeking) this.correctOne(media, expected)
    const atEnd = media.ended || expected > part.segment.duration_ms - 300
    const ready = (media.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA && !media.seeking) || atEnd
    element.waitingSince = ready ? undefined : (element.waitingSince ?? now)
    return !ready && now - (element.waitingSince ?? now) < patience
  }

  private correctOne(media: HTMLMediaElement, expected: number): void {
    const actual = media.currentTime * 1000
    const running = this.clock.playing && !this.clock.waiting
    const step = running
      ? correct(expected, actual, this.clock.rate, media.playbackRate)
      : correctPaused(expected, actual)
    if (step.do === 'rate') media.playbackRate = step.rate
    // Past the end of what was really recorded there is nothing to seek to.
    if (step.do === 'seek' && !(media.ended && expected > actual)) {
      media.currentTime = expected / 1000
      if (running) media.playbackRate = this.clock.rate
    }
    if (running && media.paused && !media.ended) media.play().catch(() => undefined)
    if (!running && !media.paused) media.pause()
  }

  private look(now: number): PlayerView {
    const position = this.clock.position(now)
    const needed = neededParts(this.recording.tracks, position)
    const before = this.view?.parts
    const parts = before && keys(before) === keys(needed) ? before : needed
    const onAir = parts.filter(({ segment }) => {
      const at = position - segment.start_ms
      return at >= 0 && at < segment.duration_ms
    })
    return {
      position,
      playing: this.clock.playing,
      buffering: this.clock.waiting,
      rate: this.clock.rate,
      parts,
      onAir: new Set(onAir.map(part => part.key)),
      failed: new Set(this.failed),
    }
  }
}

function keys(parts: readonly Part[]): string {
  return parts.map(part => part.key).join()
}

function same(a: PlayerView, b: PlayerView): boolean {
  return (
    a.position === b.position &&
    a.playing === b.playing &&
    a.buffering === b.buffering &&
    a.rate === b.rate &&
    a.parts === b.parts &&
    a.failed.size === b.failed.size
  )
}
