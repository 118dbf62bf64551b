import {
  type LocalTrackPublication,
  type RemoteAudioTrack,
  type RemoteTrack,
  Room,
  RoomEvent,
  Track,
} from 'livekit-client'
import { retryDelay } from '../room/retry.model'
import type { LineState } from './groups.model'

/**
 * The sound of one group's call. The microphone is published once and stays: what the hub forwards is the floor's
 * holder, and here the track is switched off but while the key is down, so that nothing of the room is sent.
 */
export class GroupLine {
  private readonly room = new Room({
    adaptiveStream: false,
    reconnectPolicy: {
      nextRetryDelayInMs: context => retryDelay(context.retryCount, context.elapsedMs, Math.random()),
    },
  })
  private readonly heard = new Map<HTMLMediaElement, RemoteTrack>()
  private mine: MediaStreamTrack | undefined
  private publishing: Promise<LocalTrackPublication> | undefined
  private loud = 1
  private open_ = false
  private closed = false

  constructor(
    private readonly group: string,
    private readonly tell: (state: LineState | 'over') => void,
  ) {
    this.room
      .on(RoomEvent.TrackSubscribed, track => this.play(track))
      .on(RoomEvent.TrackUnsubscribed, track => this.silence(track))
      .on(RoomEvent.Reconnecting, () => this.say('lost'))
      .on(RoomEvent.SignalReconnecting, () => this.say('lost'))
      .on(RoomEvent.Reconnected, () => this.say('in'))
      .on(RoomEvent.Disconnected, () => this.say('over'))
      // A page that has not been pressed yet must not play: the next press lets it.
      .on(RoomEvent.AudioPlaybackStatusChanged, () => {
        if (this.room.canPlaybackAudio) return
        window.addEventListener('pointerdown', () => void this.room.startAudio(), { once: true })
      })
  }

  async connect(url: string, token: string): Promise<void> {
    await this.room.connect(url, token)
    if (this.closed) await this.room.disconnect()
    else this.say('in')
  }

  /** Its own copy of the one microphone; shut. */
  async publish(microphone: MediaStreamTrack): Promise<void> {
    if (this.closed || this.publishing) return this.publishing?.then(() => undefined)
    const mine = microphone.clone()
    this.mine = mine
    mine.addEventListener('ended', () => {
      this.publishing = undefined
    })
    this.publishing = this.room.localParticipant.publishTrack(mine, { source: Track.Source.Microphone, dtx: true })
    await this.publishing
    mine.enabled = this.open_
  }

  /** Opens or shuts the microphone, at once and without a word to anybody. */
  speak(on: boolean): void {
    this.open_ = on
    if (this.mine && this.publishing) this.mine.enabled = on
  }

  /** 0 … 1 */
  loudness(loud: number): void {
    this.loud = loud
    for (const track of this.heard.values()) (track as RemoteAudioTrack).setVolume(loud)
  }

  close(): void {
    this.closed = true
    this.mine?.stop()
    void this.room.disconnect()
    for (const element of this.heard.keys()) element.remove()
    this.heard.clear()
  }

  private say(state: LineState | 'over'): void {
    if (!this.closed) this.tell(state)
  }

  private play(track: RemoteTrack): void {
    if (track.kind !== Track.Kind.Audio) return
    const element = track.attach()
    element.dataset.testid = 'group-sound'
    element.dataset.group = this.group
    element.hidden = true
    document.body.append(element)
    this.heard.set(element, track)
    ;(track as RemoteAudioTrack).setVolume(this.loud)
  }

  private silence(track: RemoteTrack): void {
    for (const element of track.detach()) {
      element.remove()
      this.heard.delete(element)
    }
  }
}

/** How long the microphone stays warm after the last call. */
const warm = 60_000

/** The one microphone of the page: captured once, copied into every group's call. */
export class Microphone {
  private track: Promise<MediaStreamTrack> | undefined
  private cooling: ReturnType<typeof setTimeout> | undefined

  /** Rejects when there is none, or the person does not allow it; asks anew the next time. */
  get(): Promise<MediaStreamTrack> {
    clearTimeout(this.cooling)
    this.track ??= this.capture()
    return this.track
  }

  /** Nothing needs it now. */
  rest(): void {
    clearTimeout(this.cooling)
    this.cooling = setTimeout(() => this.stop(), warm)
  }

  stop(): void {
    clearTimeout(this.cooling)
    void this.track?.then(track => track.stop()).catch(() => undefined)
    this.track = undefined
  }

  private async capture(): Promise<MediaStreamTrack> {
    try {
      const wanted = { echoCancellation: true, noiseSuppression: true, autoGainControl: true }
      const stream = await navigator.mediaDevices.getUserMedia({ audio: wanted })
      const [track] = stream.getAudioTracks()
      if (!track) throw new Error('NotFoundError')
      track.addEventListener('ended', () => {
        this.track = undefined
      })
      return track
    } catch (error) {
      this.track = undefined
      throw error
    }
  }
}
