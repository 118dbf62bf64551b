import {
  DisconnectReason,
  type LocalTrackPublication,
  type RemoteTrackPublication,
  RemoteVideoTrack,
  Room,
  RoomEvent,
  Track,
  VideoQuality,
} from 'livekit-client'
import { newId } from '../app/hub'
import type { ViewItem } from '../hub/cameraTypes'
import { HubError } from '../hub/http'
import type { Hub } from '../hub/hub'
import { retryDelay } from '../room/retry.model'

export type ViewPhase = 'opening' | 'open' | 'lost' | { failed: string }

export interface View {
  phase: ViewPhase
  /** By camera. */
  items: ReadonlyMap<string, ViewItem>
  /** Pictures by identity of their camera or playback. */
  tracks: ReadonlyMap<string, Track>
  /** Sounds by identity. */
  sounds: ReadonlyMap<string, Track>
  /** bit/s of all pictures. */
  bitrate: number
}

const nothing: View = {
  phase: 'opening',
  items: new Map(),
  tracks: new Map(),
  sounds: new Map(),
  bitrate: 0,
}

/**
 * This page's own room: one connection for all tiles. The hub puts the cameras into it that {@link want} names; every
 * picture is taken in its small layer, those that {@link sharpen} names in the large one.
 */
export class ViewConnection {
  readonly room: Room
  private readonly listeners = new Set<() => void>()
  /** Of its own for every page: two windows of a person have two walls. */
  readonly terminal = newId()
  private view: View = nothing
  private phase: ViewPhase = 'opening'
  private items = new Map<string, ViewItem>()
  /** What each part of the page wants; all of it together is {@link wanted}. */
  private readonly parts = new Map<string, readonly string[]>()
  private wanted: string[] = []
  private sharp = new Set<string>()
  private heard: string | undefined
  /** What the hub was told last; undefined when it has to be told again. */
  private told: string | undefined
  private telling = false
  private tellTimer: ReturnType<typeof setTimeout> | undefined
  private drawTimer: ReturnType<typeof setTimeout> | undefined
  private retryTimer: ReturnType<typeof setTimeout> | undefined
  private readonly meter: ReturnType<typeof setInterval>
  private attempt = 0
  private closed = false

  constructor(private readonly hub: Hub) {
    // The layers are chosen here, not by the size of elements: a tile has the small one, however large the window is.
    this.room = new Room({
      adaptiveStream: false,
      reconnectPolicy: {
        nextRetryDelayInMs: context => retryDelay(context.retryCount, context.elapsedMs, Math.random()),
      },
    })
    this.listen()
    this.meter = setInterval(() => this.draw(), 2000)
    void this.open()
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  snapshot = (): View => this.view

  /** The cameras one part of the page has to have open, all of them; the order says nothing. */
  want(part: string, cameras: readonly string[]): void {
    this.parts.set(part, cameras)
    const wanted = [...new Set([...this.parts.values()].flat())].sort()
    if (wanted.join() === this.wanted.join()) return
    this.wanted = wanted
    this.later(10)
  }

  /** Asks the hub for the whole wall again: a camera was tried anew, or rights have changed. */
  askAgain(): void {
    this.told = undefined
    this.later(0)
  }

  /** Identities whose large layer is taken. */
  sharpen(identities: readonly string[]): void {
    if (identities.length === this.sharp.size && identities.every(one => this.sharp.has(one))) return
    this.sharp = new Set(identities)
    for (const publication of this.publications()) this.choose(publication)
  }

  /** The one camera that is heard. */
  hear(identity: string | undefined): void {
    if (this.heard === identity) return
    this.heard = identity
    for (const publication of this.publications()) this.choose(publication)
    this.draw()
  }

  /** Opens the microphone in this room, for a loudspeaker at a camera. */
  async publishMicrophone(): Promise<LocalTrackPublication | undefined> {
    return this.room.localParticipant.setMicrophoneEnabled(true)
  }

  async muteMicrophone(): Promise<void> {
    const own = this.room.localParticipant.getTrackPublication(Track.Source.Microphone)
    if (own?.track) await this.room.localParticipant.unpublishTrack(own.track, true)
  }

  close(): void {
    this.closed = true
    clearTimeout(this.tellTimer)
    clearTimeout(this.drawTimer)
    clearTimeout(this.retryTimer)
    clearInterval(this.meter)
    void this.room.disconnect()
    // The hub would notice by itself; cameras are let go sooner this way.
    void this.hub.cameras.closeView(this.terminal).catch(() => undefined)
  }

  // ---- the room ----

  private async open(): Promise<void> {
    try {
      const room = await this.hub.cameras.openView(this.terminal)
      if (this.closed) return
      this.told = undefined
      this.later(0)
      await this.room.connect(room.url, room.token, { autoSubscribe: false })
      if (this.closed) {
        await this.room.disconnect()
        return
      }
      this.attempt = 0
      this.phase = 'open'
    } catch (error) {
      if (this.closed) return
      if (error instanceof HubError && error.status >= 400 && error.status < 500) this.phase = { failed: error.message }
      else this.openLater()
    }
    this.draw()
  }

  private openLater(): void {
    this.phase = this.attempt > 1 ? 'lost' : 'opening'
    this.attempt += 1
    clearTimeout(this.retryTimer)
    this.retryTimer = setTimeout(() => void this.open(), Math.min(5000, 300 * 2 ** this.attempt))
  }

  private listen(): void {
    this.room
      .on(RoomEvent.TrackPublished, publication => this.choose(publication))
      .on(RoomEvent.TrackUnpublished, () => this.draw())
      .on(RoomEvent.TrackSubscribed, () => this.draw())
      .on(RoomEvent.TrackUnsubscribed, () => this.draw())
      .on(RoomEvent.TrackMuted, () => this.draw())
      .on(RoomEvent.TrackUnmuted, () => this.draw())
      .on(RoomEvent.Connected, () => {
        for (const publication of this.publications()) this.choose(publication)
        this.draw()
      })
      .on(RoomEvent.Reconnecting, () => this.turn('lost'))
      .on(RoomEvent.SignalReconnecting, () => this.turn('lost'))
      .on(RoomEvent.Reconnected, () => this.turn('open'))
      .on(RoomEvent.Disconnected, reason => {
        if (this.closed || this.phase === 'opening') return
        if (reason === DisconnectReason.DUPLICATE_IDENTITY) {
          this.turn({ failed: 'duplicate' })
          return
        }
        this.phase = 'lost'
        this.openLater()
        this.draw()
      })
  }

  private turn(phase: ViewPhase): void {
    this.phase = phase
    this.draw()
  }

  private *publications(): Iterable<RemoteTrackPublication> {
    for (const who of this.room.remoteParticipants.values()) yield* who.trackPublications.values()
  }

  private identityOf(publication: RemoteTrackPublication): string {
    for (const who of this.room.remoteParticipants.values())
      if (who.trackPublications.get(publication.trackSid) === publication) return who.identity
    return ''
  }

  /** Every picture is subscribed as soon as it is there; sound only of the camera that is heard. */
  private choose(publication: RemoteTrackPublication): void {
    const identity = this.identityOf(publication)
    if (publication.kind === Track.Kind.Audio) {
      const on = identity === this.heard
      if (publication.isDesired !== on) publication.setSubscribed(on)
      return
    }
    if (!publication.isDesired) publication.setSubscribed(true)
    publication.setVideoQuality(this.sharp.has(identity) ? VideoQuality.HIGH : VideoQuality.LOW)
  }

  // ---- what the hub is to open ----

  private later(ms: number): void {
    clearTimeout(this.tellTimer)
    this.tellTimer = setTimeout(() => void this.tell(), ms)
  }

  private async tell(): Promise<void> {
    if (this.telling || this.closed) return
    const cameras = this.wanted
    const key = cameras.join()
    if (key === this.told) return
    this.telling = true
    try {
      const answer = await this.hub.cameras.show(this.terminal, cameras)
      this.told = key
      this.items = new Map(answer.items.map(item => [item.camera_id, item]))
    } catch (error) {
      this.told = undefined
      // The hub let the room go: this page was away too long.
      if (error instanceof HubError && error.code === 'no_view')
        await this.hub.cameras.openView(this.terminal).catch(() => undefined)
    }
    this.telling = false
    this.draw()
    if (this.wanted.join() !== this.told) this.later(this.told === undefined ? 1500 : 0)
  }

  // ---- the picture of it all ----

  private draw(): void {
    if (this.drawTimer !== undefined || this.closed) return
    this.drawTimer = setTimeout(() => {
      this.drawTimer = undefined
      this.view = this.look()
      for (const listener of this.listeners) listener()
    }, 16)
  }

  private look(): View {
    const tracks = new Map<string, Track>()
    const sounds = new Map<string, Track>()
    let bitrate = 0
    for (const who of this.room.remoteParticipants.values())
      for (const { track } of who.trackPublications.values()) {
        if (track instanceof RemoteVideoTrack) {
          tracks.set(who.identity, track)
          bitrate += track.currentBitrate
        } else if (track) sounds.set(who.identity, track)
      }
    return {
      phase: this.phase,
      items: this.items,
      tracks,
      sounds,
      bitrate,
    }
  }
}
