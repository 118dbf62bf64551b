import { createLocalAudioTrack, type RemoteTrack, Room, RoomEvent, Track } from 'livekit-client'
import type { Joining } from './dispatch.model'

/** The sound of a line that is monitored or whispered into; the microphone is open only while a key is down. */
export class Ear {
  private readonly room = new Room()
  private readonly heard = new Set<HTMLMediaElement>()
  private closed = false

  constructor(private readonly tell: (state: 'joining' | 'in' | 'lost' | 'over') => void) {
    this.room.on(RoomEvent.TrackSubscribed, track => this.play(track))
    this.room.on(RoomEvent.TrackUnsubscribed, track => this.silence(track))
    this.room.on(RoomEvent.Reconnecting, () => this.say('lost'))
    this.room.on(RoomEvent.SignalReconnecting, () => this.say('lost'))
    this.room.on(RoomEvent.Reconnected, () => this.say('in'))
    this.room.on(RoomEvent.Disconnected, () => this.say('over'))
    this.room.on(RoomEvent.AudioPlaybackStatusChanged, () => {
      if (this.room.canPlaybackAudio) return
      window.addEventListener('pointerdown', () => void this.room.startAudio(), { once: true })
    })
  }

  /** `speaks`: the microphone is published at once, muted, so that the first word needs no negotiation. */
  async open(ticket: Joining, speaks: boolean): Promise<void> {
    await this.room.connect(ticket.url, ticket.token)
    if (this.closed) return
    if (speaks) {
      const microphone = await createLocalAudioTrack()
      await microphone.mute() // before it is published: nothing is whispered by accident
      await this.room.localParticipant.publishTrack(microphone, { source: Track.Source.Microphone })
    }
    this.say('in')
  }

  speak(on: boolean): void {
    if (!this.closed) void this.room.localParticipant.setMicrophoneEnabled(on)
  }

  close(): void {
    this.closed = true
    void this.room.disconnect()
    for (const element of this.heard) element.remove()
    this.heard.clear()
  }

  private say(state: 'joining' | 'in' | 'lost' | 'over'): void {
    if (!this.closed) this.tell(state)
  }

  private play(track: RemoteTrack): void {
    if (track.kind !== Track.Kind.Audio) return
    const element = track.attach()
    element.dataset.testid = 'dispatch-sound'
    element.hidden = true
    document.body.append(element)
    this.heard.add(element)
  }

  private silence(track: RemoteTrack): void {
    for (const element of track.detach()) {
      element.remove()
      this.heard.delete(element)
    }
  }
}
