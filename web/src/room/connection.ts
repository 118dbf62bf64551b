import {
  type ChatMessage,
  ConnectionState,
  DisconnectReason,
  type LocalAudioTrack,
  type LocalVideoTrack,
  type Participant,
  Room,
  RoomEvent,
  type TextStreamReader,
  type Track,
} from 'livekit-client'
import { newId, terminalId } from '../app/hub'
import { HubError } from '../hub/http'
import type { Hub } from '../hub/hub'
import type { Joining } from '../hub/types'
import { ChatLog, type Entry } from './chat.model'
import { controlOf, readers } from './control.model'
import { isCamera, memberOf, nameOf, withKept } from './members'
import { retryDelay } from './retry.model'
import { SpeakingGate } from './speaking.model'
import type { Member } from './tiles.model'

export type Phase =
  | { at: 'joining' }
  /** In the lobby; `since` is the hub's clock. */
  | { at: 'waiting'; since: number }
  | { at: 'in' }
  /** The connection is gone and coming back; `since` and `nextAt` are our clock, milliseconds. */
  | { at: 'lost'; since: number; attempt: number; nextAt: number | undefined }
  | { at: 'out'; why: 'left' | 'ended' | 'removed' | 'duplicate' | 'refused' | 'failed'; words: string }

export interface RoomView {
  phase: Phase
  members: Member<Track>[]
  /** Sounds to be played: everybody's but our own. */
  sounds: Track[]
  isRecording: boolean
  canPlay: boolean
  lastSpeaker: string | undefined
  chat: readonly Entry[]
  micOn: boolean
  cameraOn: boolean
  sharing: boolean
}

const topic = 'lk.chat'
/** ms between two questions whether we are let in. */
const asking = 15_000
/** ms after a break in which people who were there come back. */
const settling = 15_000

/** What was written and read stays when somebody leaves and comes back. */
const logs = new Map<string, ChatLog>()

function logOf(id: string): ChatLog {
  const log = logs.get(id) ?? new ChatLog()
  logs.set(id, log)
  return log
}

export interface OwnTracks {
  audio: LocalAudioTrack | undefined
  video: LocalVideoTrack | undefined
}

/**
 * One person's presence in one consultation. It keeps the media connection: the library resumes short breaks by
 * itself; when that ends, we join anew with a new token until the hub says no.
 */
export class RoomConnection {
  readonly room: Room
  private readonly log: ChatLog
  private readonly speech = new SpeakingGate()
  private readonly listeners = new Set<() => void>()
  private view: RoomView
  private phase: Phase = { at: 'joining' }
  private lastSpeaker: string | undefined
  private drawTimer: ReturnType<typeof setTimeout> | undefined
  private speechTimer: ReturnType<typeof setTimeout> | undefined
  private retryTimer: ReturnType<typeof setTimeout> | undefined
  private closed = false
  /** Joining anew, until it worked; `trying` while an attempt is under way. */
  private rejoining = false
  private trying = false
  /** Who was there when the connection went: the page goes on showing them, with their last picture. */
  private before: Member<Track>[] = []
  private backAt = 0
  /** What people chose, to be the same after joining anew. */
  private wanted = { mic: false, camera: false }
  /** Opened before the door, until they are published or given up. */
  private own: OwnTracks | undefined
  /** Ends the waiting in the lobby: let in, or no more. */
  private door: ((open: boolean) => void) | undefined

  constructor(
    private readonly hub: Hub,
    readonly consultation: string,
  ) {
    this.log = logOf(consultation)
    this.room = new Room({
      adaptiveStream: true,
      dynacast: true,
      reconnectPolicy: { nextRetryDelayInMs: context => this.retrying(context.retryCount, context.elapsedMs) },
    })
    this.listen()
    this.view = this.look()
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  snapshot = (): RoomView => this.view

  async start(own: OwnTracks): Promise<void> {
    this.own = own
    this.wanted = { mic: own.audio !== undefined, camera: own.video !== undefined }
    const tracks = [own.audio, own.video].filter(track => track !== undefined)
    try {
      await this.join()
      await Promise.all(tracks.map(track => this.room.localParticipant.publishTrack(track)))
      this.own = undefined
    } catch (error) {
      for (const track of tracks) track.stop()
      if (!this.closed) this.out(error)
    }
    this.draw()
  }

  /** Leaves for good. */
  close(): void {
    this.closed = true
    this.door?.(false)
    for (const track of [this.own?.audio, this.own?.video]) track?.stop()
    clearTimeout(this.retryTimer)
    clearTimeout(this.speechTimer)
    clearTimeout(this.drawTimer)
    void this.room.disconnect()
  }

  /** Do not wait: leave what the library is still trying, and join anew. */
  retryNow(): void {
    if (this.phase.at !== 'lost') return
    if (this.rejoining) void this.rejoin()
    else {
      this.rejoining = true
      void this.room.disconnect().finally(() => this.rejoin())
    }
  }

  // ---- what people do ----

  async setMic(on: boolean): Promise<void> {
    await this.room.localParticipant.setMicrophoneEnabled(on)
    this.wanted.mic = on
    this.draw()
  }

  async setCamera(on: boolean): Promise<void> {
    await this.room.localParticipant.setCameraEnabled(on)
    this.wanted.camera = on
    this.draw()
  }

  async setSharing(on: boolean): Promise<void> {
    await this.room.localParticipant.setScreenShareEnabled(on, { audio: true, contentHint: 'detail' })
    this.draw()
  }

  async startAudio(): Promise<void> {
    await this.room.startAudio()
    this.draw()
  }

  /** Sends a line, or keeps it until the connection is back. */
  say(text: string): void {
    const line = { id: newId(), identity: this.identity, name: '', org: '', text, at: this.hub.now() }
    const session = this.hub.store.getState().session
    line.name = session?.person.name ?? ''
    line.org = session?.person.org.name ?? ''
    this.log.write(line, this.phase.at === 'in')
    if (this.phase.at === 'in') void this.send(line.id, text)
    this.draw()
  }

  resend(id: string, text: string): void {
    this.log.settle(id, this.phase.at === 'in' ? 'sending' : 'waiting')
    if (this.phase.at === 'in') void this.send(id, text)
    this.draw()
  }

  private async send(id: string, text: string): Promise<void> {
    try {
      // Uncompressed, so that the hub's journal reads it as it stands.
      const consultation = this.hub.store.getState().consultations[this.consultation]
      const others = [...this.room.remoteParticipants.keys()]
      const destinationIdentities = consultation && readers(controlOf(consultation), this.identity, others)
      await this.room.localParticipant.sendText(text, { topic, compress: false, destinationIdentities })
      this.log.settle(id, 'sent')
    } catch {
      this.log.settle(id, this.phase.at === 'lost' ? 'waiting' : 'failed')
    }
    this.draw()
  }

  private get identity(): string {
    return this.room.localParticipant.identity
  }

  // ---- connection ----

  private async join(): Promise<void> {
    const joining = await this.admission()
    if (!joining || this.closed) return
    await this.room.connect(joining.url, joining.token)
    if (this.closed) await this.room.disconnect()
    else this.back()
  }

  /** A token; asked for again and again while we wait in the lobby. An event that we are let in is told by `knock`. */
  private async admission(): Promise<Joining | undefined> {
    for (;;) {
      const joining = await this.hub.api.join(this.consultation, terminalId())
      if (this.closed) return undefined
      if (joining.state !== 'waiting') {
        if (this.phase.at === 'waiting') {
          this.phase = { at: 'joining' }
          this.draw()
        }
        return joining
      }
      if (this.phase.at !== 'waiting') {
        this.phase = { at: 'waiting', since: this.hub.now() }
        this.draw()
      }
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, asking)
        this.door = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.door = undefined
      if (this.closed) return undefined
    }
  }

  /** Something was said about us at the door: ask at once. */
  knock(): void {
    this.door?.(true)
  }

  /** The library asks how long to wait; its number is what people see. Null = it gives up, then we join anew. */
  private retrying(count: number, elapsed: number): number | null {
    const delay = retryDelay(count, elapsed, Math.random())
    this.lost()
    if (this.phase.at === 'lost') {
      const nextAt = delay === null ? undefined : Date.now() + delay
      this.phase = { ...this.phase, attempt: count + 1, nextAt }
    }
    this.draw()
    return delay
  }

  private lost(): void {
    if (this.phase.at === 'lost' || this.phase.at === 'out') return
    this.phase = { at: 'lost', since: Date.now(), attempt: 1, nextAt: undefined }
    this.before = this.view.members
    this.log.note({ id: newId(), at: this.hub.now(), note: 'lost', name: '' })
    this.draw()
  }

  private back(): void {
    const was = this.phase.at
    this.phase = { at: 'in' }
    this.backAt = Date.now()
    if (was === 'lost') this.log.note({ id: newId(), at: this.hub.now(), note: 'back', name: '' })
    for (const line of this.log.waiting()) {
      this.log.settle(line.id, 'sending')
      void this.send(line.id, line.text)
    }
    this.draw()
  }

  private disconnected(reason: DisconnectReason | undefined): void {
    if (this.closed || this.rejoining || this.phase.at === 'joining' || this.phase.at === 'out') return
    const final = new Map<DisconnectReason | undefined, 'ended' | 'removed' | 'duplicate'>([
      [DisconnectReason.DUPLICATE_IDENTITY, 'duplicate'],
      [DisconnectReason.PARTICIPANT_REMOVED, 'removed'],
      [DisconnectReason.ROOM_DELETED, 'ended'],
      [DisconnectReason.ROOM_CLOSED, 'ended'],
    ]).get(reason)
    if (final === 'removed') {
      void this.whyRemoved()
      return
    }
    if (final) {
      this.phase = { at: 'out', why: final, words: '' }
      this.draw()
      return
    }
    this.lost()
    void this.rejoin()
  }

  /** Put out, or sent back to the lobby: the hub says which. */
  private async whyRemoved(): Promise<void> {
    this.phase = { at: 'joining' }
    this.wanted = { mic: false, camera: false }
    this.draw()
    try {
      await this.join()
    } catch {
      if (this.closed) return
      this.phase = { at: 'out', why: 'removed', words: '' }
      this.draw()
    }
  }

  private async rejoin(): Promise<void> {
    clearTimeout(this.retryTimer)
    if (this.trying || this.closed) return
    this.rejoining = true
    this.trying = true
    const attempt = this.phase.at === 'lost' ? this.phase.attempt : 1
    try {
      await this.join()
      this.rejoining = false
      if (this.wanted.mic) await this.setMic(true).catch(() => undefined)
      if (this.wanted.camera) await this.setCamera(true).catch(() => undefined)
    } catch (error) {
      if (this.closed) return
      if (error instanceof HubError && error.status >= 400 && error.status < 500) {
        this.rejoining = false
        this.out(error)
        return
      }
      const delay = Math.min(10_000, 1000 * attempt)
      if (this.phase.at === 'lost') this.phase = { ...this.phase, attempt: attempt + 1, nextAt: Date.now() + delay }
      this.retryTimer = setTimeout(() => void this.rejoin(), delay)
      this.draw()
    } finally {
      this.trying = false
    }
  }

  private out(error: unknown): void {
    const refused = error instanceof HubError && error.status >= 400 && error.status < 500
    this.phase = { at: 'out', why: refused ? 'refused' : 'failed', words: refused ? error.message : String(error) }
    this.draw()
  }

  // ---- what happens in the room ----

  private listen(): void {
    const draw = () => this.draw()
    this.room
      .on(RoomEvent.Reconnecting, () => this.lost())
      .on(RoomEvent.SignalReconnecting, () => this.lost())
      .on(RoomEvent.Reconnected, () => this.back())
      .on(RoomEvent.Disconnected, reason => this.disconnected(reason))
      .on(RoomEvent.ActiveSpeakersChanged, speakers => this.heard(speakers))
      .on(RoomEvent.ChatMessage, (message, from) => this.oldChat(message, from))
      .on(RoomEvent.ParticipantConnected, who => this.noted('joined', who))
      .on(RoomEvent.ParticipantDisconnected, who => {
        this.speech.forget(who.identity)
        this.noted('left', who)
      })
      .on(RoomEvent.RecordingStatusChanged, on => {
        const note = on ? 'recordingStarted' : 'recordingStopped'
        this.log.note({ id: newId(), at: this.hub.now(), note, name: '' })
        draw()
      })
      .on(RoomEvent.TrackPublished, draw)
      .on(RoomEvent.TrackUnpublished, draw)
      .on(RoomEvent.TrackSubscribed, draw)
      .on(RoomEvent.TrackUnsubscribed, draw)
      .on(RoomEvent.TrackMuted, draw)
      .on(RoomEvent.TrackUnmuted, draw)
      .on(RoomEvent.LocalTrackPublished, draw)
      .on(RoomEvent.LocalTrackUnpublished, draw)
      .on(RoomEvent.ConnectionQualityChanged, draw)
      .on(RoomEvent.ParticipantNameChanged, draw)
      .on(RoomEvent.ParticipantAttributesChanged, draw)
      .on(RoomEvent.AudioPlaybackStatusChanged, draw)
    this.room.registerTextStreamHandler(topic, (reader, from) => void this.newChat(reader, from.identity))
  }

  private noted(what: 'joined' | 'left', who: Participant): void {
    const camera = isCamera(who)
    // After a break everybody seems to leave and to come again: that is no news about them.
    const known = this.before.some(member => member.identity === who.identity)
    const news = this.phase.at === 'in' && !(known && Date.now() - this.backAt < settling)
    const note = camera ? (what === 'joined' ? 'cameraIn' : 'cameraOut') : what
    if (news) this.log.note({ id: newId(), at: this.hub.now(), note, name: nameOf(who) })
    this.draw()
  }

  private async newChat(reader: TextStreamReader, identity: string): Promise<void> {
    try {
      const text = await reader.readAll()
      this.receive(reader.info.id, identity, text, reader.info.timestamp)
    } catch {
      // A stream that broke off; its writer is told by his own client.
    }
  }

  private oldChat(message: ChatMessage, from: Participant | undefined): void {
    if (from && !from.isLocal) this.receive(message.id, from.identity, message.message, message.timestamp)
  }

  private receive(id: string, identity: string, text: string, at: number): void {
    const who = this.room.getParticipantByIdentity(identity)
    const name = who ? nameOf(who) : identity
    this.log.receive({ id, identity, name, org: who?.attributes.org ?? '', text, at: at || this.hub.now() })
    this.draw()
  }

  private heard(speakers: Participant[]): void {
    const now = Date.now()
    const loud = new Set(speakers.map(speaker => speaker.identity))
    for (const who of [this.room.localParticipant, ...this.room.remoteParticipants.values()])
      this.speech.hear(who.identity, loud.has(who.identity), now)
    this.draw()
  }

  // ---- the picture of it all ----

  /** Many things change at once; the page is drawn once for them. */
  private draw(): void {
    if (this.drawTimer !== undefined || this.closed) return
    this.drawTimer = setTimeout(() => {
      this.drawTimer = undefined
      this.view = this.look()
      for (const listener of this.listeners) listener()
    }, 30)
  }

  private look(): RoomView {
    const now = Date.now()
    const rings = this.speech.rings(now)
    const due = this.speech.deadline()
    clearTimeout(this.speechTimer)
    if (due !== undefined) this.speechTimer = setTimeout(() => this.draw(), Math.max(10, due - now))
    const newest = [...rings].sort((a, b) => b[1] - a[1]).find(([identity]) => identity !== this.identity)
    this.lastSpeaker = newest?.[0] ?? this.lastSpeaker
    const remote = [...this.room.remoteParticipants.values()]
    const connected = this.room.state !== ConnectionState.Disconnected || this.phase.at === 'lost'
    const local = this.room.localParticipant
    const here = [...(connected && local.identity ? [local] : []), ...remote].map(who => memberOf(who, rings))
    return {
      phase: this.phase,
      members: this.phase.at === 'lost' ? withKept(here, this.before, this.phase.since) : here,
      sounds: remote.flatMap(who => [...who.audioTrackPublications.values()].flatMap(p => (p.track ? [p.track] : []))),
      isRecording: this.room.isRecording,
      canPlay: this.room.canPlaybackAudio,
      lastSpeaker: this.lastSpeaker,
      chat: this.log.entries,
      // Published again when the connection is back.
      micOn: local.isMicrophoneEnabled || (this.phase.at === 'lost' && this.wanted.mic),
      cameraOn: local.isCameraEnabled || (this.phase.at === 'lost' && this.wanted.camera),
      sharing: local.isScreenShareEnabled,
    }
  }
}
