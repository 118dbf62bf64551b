import type { RecordingDetail } from '../hub/types'
import { correct, correctPaused, MasterClock } from './clock.model'
import { Feeder } from './feeder'
import { Fetcher } from './fetcher'
import type { Known } from './learning'
import { LiveEdge, pace } from './live.model'
import { frameBeside } from './reading.model'
import { endOf, isOpen, keyOf, lengthOf, neededParts, ownTime, type Part, sessionTime } from './tracks.model'
import { type Failure, keys, type PlayerView, same, sameKeys } from './view.model'

export type { PlayerView } from './view.model'

interface Element {
  media: HTMLMediaElement
  part: Part
  feeder: Feeder
  /** Since when it has kept the others waiting. */
  waitingSince: number | undefined
  /** The jump it has followed. */
  sought: number
  soughtAt: number
  /** The browser shows the frame after the one that was sought: once that is there, it is sought again. */
  misled: boolean
}

const tickEvery = 100
/** A pause shorter than this is not worth stopping everybody for. */
const holdAfter = 250
/** What has not come by then is left behind until it does; in a running session somebody's network is not everybody's. */
const patience = 8000
const livePatience = 600
/** A second jump does not wait longer than this for the first one's picture. */
const scrub = 350
/** ms; who goes from place to place along the bar needs nothing that comes behind each of them. */
const staying = 1500
/** ms behind a frame's time: surely this frame, surely not the one before. */
const intoFrame = 1

/** Files read by all players of the page. */
const fetcher = new Fetcher()

/** Drives every media element of a recording by one clock. */
export class PlayerEngine {
  private readonly clock: MasterClock
  private readonly edge = new LiveEdge()
  private readonly elements = new Map<string, Element>()
  private readonly listeners = new Set<() => void>()
  private readonly failed = new Map<string, Failure>()
  private readonly library: Map<string, Known>
  private readonly companions = new Map<PlayerEngine, () => number>()
  private view: PlayerView
  private timer: ReturnType<typeof setInterval> | undefined
  private soon = false
  /** Counts jumps; performance clock (ms) of the last: whoever is not there yet is waited for at once. */
  private jumps = 0
  private soughtAt = Number.NEGATIVE_INFINITY
  private led = 0
  private wake = 0
  private away: number | undefined
  private attempt = 0
  private following = false
  /** Ids of tracks that need no element: not shown, or not heard. */
  private left: ReadonlySet<string> = new Set()

  /** `beside` plays the same recording: what is known of its files is shared. */
  constructor(
    private recording: RecordingDetail,
    beside?: PlayerEngine,
  ) {
    this.library = beside?.library ?? new Map()
    this.clock = new MasterClock(lengthOf(recording))
    this.view = this.look(0)
  }

  get duration(): number {
    return this.clock.duration
  }

  /** From where one is to where one was before the last jump, ms. */
  get cameFrom(): number | undefined {
    return this.away
  }

  get live(): boolean {
    return this.recording.state === 'recording'
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

  /** What has become of it since: a running session has grown, or ended. */
  update(recording: RecordingDetail): void {
    const now = performance.now()
    this.recording = recording
    const length = lengthOf(recording)
    this.clock.grow(length)
    if (this.live) this.edge.saw(now, length)
    else this.following = false
    for (const element of this.elements.values()) {
      const part = this.partOf(element.part.key)
      if (!part) continue
      element.part = part
      element.feeder.update(part)
    }
    for (const other of this.companions.keys()) other.update(recording)
    this.tick()
  }

  /** Tracks that are not shown or not heard are not decoded. */
  leaveOut(tracks: ReadonlySet<string>): void {
    this.left = tracks
    this.tick()
  }

  play(): void {
    this.clock.play(performance.now())
    this.tick()
  }

  pause(): void {
    this.following = false
    this.clock.pause(performance.now())
    this.tick()
  }

  toggle(): void {
    if (this.clock.playing) this.pause()
    else this.play()
  }

  seek(position: number): void {
    this.following = false
    this.jump(performance.now(), position)
    this.tick()
  }

  step(ms: number): void {
    this.seek(this.clock.position(performance.now()) + ms)
  }

  /** To the frame before or after the one that `track` shows; by a 25th of a second where nothing is known of it. */
  stepFrame(step: -1 | 1, track: string | undefined): void {
    this.pause()
    const at = this.clock.position(performance.now())
    const shown = [...this.elements.values()].filter(
      one => one.part.track.kind === 'video' && this.isOnAir(one.part, at),
    )
    const element = shown.find(one => one.part.track.id === track) ?? shown[0]
    const own = element && ownTime(element.part.segment, at)
    const { index } = element?.feeder ?? {}
    const frame = index && frameBeside(index, own ?? 0, step)
    this.seek(element && frame !== undefined ? sessionTime(element.part.segment, frame + intoFrame) : at + step * 40)
  }

  /** Keeps up with a session that still runs. */
  follow(): void {
    if (!this.live) return
    this.following = true
    const now = performance.now()
    const edge = this.edge.position(now) ?? this.duration
    this.clock.grow(edge)
    this.jump(now, Math.max(0, edge - 3000))
    this.clock.setRate(now, 1)
    this.clock.play(now)
    this.tick()
  }

  setRate(rate: number): void {
    this.following = this.following && rate === 1
    this.clock.setRate(performance.now(), rate)
    this.tick()
  }

  /** `media` plays the part of this key until the result is called. */
  attach(key: string, media: HTMLMediaElement): () => void {
    const part = this.view.parts.find(one => one.key === key)
    if (!part) return () => undefined
    const feeder = new Feeder(part, media, fetcher, this.library, this.tickSoon, this.grew)
    const element: Element = { media, part, feeder, waitingSince: undefined, sought: -1, soughtAt: 0, misled: false }
    this.elements.set(part.key, element)
    const failed = () => {
      if (media.error) this.failed.set(part.key, 'codec')
      this.tickSoon()
    }
    const heard = ['seeked', 'canplay', 'loadeddata', 'loadedmetadata', 'ended'] as const
    for (const name of heard) media.addEventListener(name, this.tickSoon)
    media.addEventListener('error', failed)
    this.tickSoon()
    return () => {
      media.removeEventListener('error', failed)
      for (const name of heard) media.removeEventListener(name, this.tickSoon)
      feeder.close()
      if (this.elements.get(part.key) === element) this.elements.delete(part.key)
    }
  }

  /** Tries again what could not be read. */
  retry(): void {
    this.failed.clear()
    this.attempt += 1
    this.tick()
  }

  /** `other` stays `offset()` ms from here, plays and stands with this one. The result parts them. */
  lead(other: PlayerEngine, offset: () => number): () => void {
    this.companions.set(other, offset)
    this.tickSoon()
    return () => this.companions.delete(other)
  }

  /** Called by the one who leads: be there. */
  private accompany(position: number, playing: boolean, rate: number, jumped: boolean): void {
    const now = performance.now()
    if (this.clock.rate !== rate) this.clock.setRate(now, rate)
    if (playing !== this.clock.playing) {
      if (playing) this.clock.play(now)
      else this.clock.pause(now)
    }
    if (jumped || Math.abs(this.clock.position(now) - position) > 150) this.jump(now, position)
    this.tickSoon()
  }

  private jump(now: number, position: number): void {
    const before = this.clock.position(now)
    if (Math.abs(before - position) > 5000) this.away = before - position
    this.soughtAt = now
    this.jumps += 1
    this.clock.seek(now, position)
  }

  private tickSoon = (): void => {
    if (this.soon) return
    this.soon = true
    queueMicrotask(() => {
      this.soon = false
      this.tick()
    })
  }

  private grew = (part: Part, until: number): void => {
    if (this.live) this.edge.saw(performance.now(), sessionTime(part.segment, until))
  }

  private partOf(key: string): Part | undefined {
    for (const track of this.recording.tracks) {
      const segment = track.segments.find(one => keyOf(one) === key)
      if (segment) return { key, track, segment }
    }
    return undefined
  }

  private keepUp(now: number): void {
    const edge = this.edge.position(now)
    if (!this.live || edge === undefined) return
    this.clock.grow(edge)
    if (!this.following || !this.clock.playing) return
    const step = pace(this.clock.position(now), edge, this.clock.rate)
    if (step.do === 'jump') this.jump(now, step.to)
    else if (step.rate !== this.clock.rate) this.clock.setRate(now, step.rate)
  }

  private tick(): void {
    const now = performance.now()
    this.keepUp(now)
    if (this.clock.playing && this.clock.position(now) >= this.duration && !this.live) this.clock.pause(now)
    const position = this.clock.position(now)
    const awaited = [...this.elements.values()].filter(element => this.follows(element, position, now))
    const longest = Math.max(0, ...awaited.map(element => now - (element.waitingSince ?? now)))
    const patient = now - this.soughtAt > 2 * holdAfter && !this.clock.waiting
    this.clock.hold(now, awaited.length > 0 && (!patient || longest >= holdAfter))
    for (const [other, offset] of this.companions)
      other.accompany(position + offset(), this.clock.playing, this.clock.rate, this.led !== this.jumps)
    this.led = this.jumps
    const next = this.look(now, awaited.length === 0)
    this.wakeAt(position, now)
    if (!same(this.view, next)) {
      this.view = next
      for (const listener of this.listeners) listener()
    }
  }

  /** The moment at which one part follows another is kept to, whenever the next tick is. */
  private wakeAt(position: number, now: number): void {
    if (!this.clock.playing || this.clock.waiting || now < this.wake) return
    const within = tickEvery * this.clock.rate
    const begin = this.view.parts.find(
      ({ segment }) => segment.start_ms > position && segment.start_ms < position + within,
    )
    if (!begin) return
    const ms = (begin.segment.start_ms - position) / this.clock.rate
    this.wake = now + ms
    setTimeout(this.tickSoon, ms + 1)
  }

  /** Brings one element to where the clock is. True when the others should wait for it. */
  private follows(element: Element, position: number, now: number): boolean {
    const { media, part, feeder } = element
    if (feeder.failure) this.failed.set(part.key, feeder.failure)
    const expected = ownTime(part.segment, position)
    if (!this.isOnAir(part, position) || this.failed.has(part.key)) {
      if (!media.paused) media.pause()
      if (expected < 0) {
        feeder.want(0, this.clock.rate, false, this.ample(now))
        if (media.currentTime > 0.05 && !media.seeking) media.currentTime = 0
      }
      element.waitingSince = undefined
      return false
    }
    feeder.want(expected, this.clock.rate, true, this.ample(now))
    if (media.readyState > 0) this.place(element, expected, now)
    const near = Math.abs(media.currentTime * 1000 - expected) < 1200 * Math.max(1, this.clock.rate)
    const least = this.clock.playing ? HTMLMediaElement.HAVE_FUTURE_DATA : HTMLMediaElement.HAVE_CURRENT_DATA
    const atEnd = media.ended || (!isOpen(part.segment) && position > endOf(part.segment) - 300 && media.readyState > 1)
    const ready = !media.seeking && !element.misled && ((media.readyState >= least && near) || atEnd)
    element.waitingSince = ready ? undefined : (element.waitingSince ?? now)
    return !ready && now - (element.waitingSince ?? now) < (this.live && this.following ? livePatience : patience)
  }

  /** May something be fetched in advance? Not while others wait for their picture. */
  private ample(now: number): boolean {
    return this.clock.playing ? !this.clock.waiting : this.view.settled && now - this.soughtAt > staying
  }

  /** After a jump exactly, otherwise by speed. */
  private place(element: Element, expected: number, now: number): void {
    const { media, feeder } = element
    const actual = media.currentTime * 1000
    if (element.sought !== this.jumps) {
      // While it still goes to another place it is left alone, or dragging would never show anything.
      if (media.seeking && now - element.soughtAt < scrub && feeder.has(actual)) return
      element.sought = this.jumps
      element.soughtAt = now
      if (Math.abs(actual - expected) > 0.5) media.currentTime = expected / 1000
      element.misled = feeder.misled(expected)
      media.playbackRate = this.clock.rate
      this.run(media)
    }
    if (media.seeking) return
    if (element.misled && feeder.has(expected)) {
      element.misled = false
      media.currentTime = expected / 1000
      return
    }
    const running = this.clock.playing && !this.clock.waiting
    const step = running
      ? correct(expected, actual, this.clock.rate, media.playbackRate)
      : correctPaused(expected, actual)
    if (step.do === 'rate') media.playbackRate = step.rate
    // Past the end of what was really recorded there is nothing to seek to.
    if (step.do === 'seek' && !(media.ended && expected > actual) && (running || feeder.has(expected))) {
      element.soughtAt = now
      media.currentTime = expected / 1000
      if (running) media.playbackRate = this.clock.rate
    }
    this.run(media)
  }

  private run(media: HTMLMediaElement): void {
    const running = this.clock.playing && !this.clock.waiting
    if (running && media.paused && !media.ended) media.play().catch(() => undefined)
    if (!running && !media.paused) media.pause()
  }

  private isOnAir({ segment }: Part, position: number): boolean {
    return segment.start_ms <= position && position < endOf(segment)
  }

  private look(now: number, settled = false): PlayerView {
    const position = this.clock.position(now)
    const tracks = this.recording.tracks.filter(track => !this.left?.has(track.id))
    const needed = neededParts(tracks, position, this.clock.rate)
    const before = this.view?.parts
    const parts = before && keys(before) === keys(needed) ? before : needed
    const onAir = new Set(parts.filter(part => this.isOnAir(part, position)).map(part => part.key))
    const { playing, waiting, rate, duration } = this.clock
    return {
      position,
      duration,
      playing,
      buffering: waiting,
      settled: settled && parts.every(part => this.elements.has(part.key)),
      rate: this.following ? 1 : rate,
      parts,
      onAir: this.view && sameKeys(this.view.onAir, onAir) ? this.view.onAir : onAir,
      failed: this.view?.failed.size === this.failed.size ? this.view.failed : new Map(this.failed),
      attempt: this.attempt,
      following: this.following,
    }
  }
}
