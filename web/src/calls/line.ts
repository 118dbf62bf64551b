import { type RemoteTrack, Room, RoomEvent, Track } from 'livekit-client'
import type { CallTicket } from './calls.model'

/** The sound of one call: our microphone in its room, and everybody else's. */
export class Line {
  private readonly room = new Room()
  private readonly heard = new Set<HTMLMediaElement>()
  private closed = false

  constructor(private readonly tell: (state: 'joining' | 'in' | 'lost') => void) {
    this.room.on(RoomEvent.TrackSubscribed, track => this.play(track))
    this.room.on(RoomEvent.TrackUnsubscribed, track => this.silence(track))
    this.room.on(RoomEvent.Reconnecting, () => this.say('lost'))
    this.room.on(RoomEvent.SignalReconnecting, () => this.say('lost'))
    this.room.on(RoomEvent.Reconnected, () => this.say('in'))
    this.room.on(RoomEvent.Disconnected, () => this.say('lost'))
    // A page that has not been pressed yet must not play: the next press lets it.
    this.room.on(RoomEvent.AudioPlaybackStatusChanged, () => {
      if (this.room.canPlaybackAudio) return
      window.addEventListener('pointerdown', () => void this.room.startAudio(), { once: true })
    })
  }

  /** Rejects when there is no way in, or no microphone. */
  async open(ticket: CallTicket, muted: boolean): Promise<void> {
    await this.room.connect(ticket.url, ticket.token)
    if (this.closed) return
    await this.room.localParticipant.setMicrophoneEnabled(true)
    if (muted) await this.room.localParticipant.setMicrophoneEnabled(false)
    this.say('in')
  }

  mute(muted: boolean): void {
    void this.room.localParticipant.setMicrophoneEnabled(!muted)
  }

  close(): void {
    this.closed = true
    void this.room.disconnect()
    for (const element of this.heard) element.remove()
    this.heard.clear()
  }

  private say(state: 'joining' | 'in' | 'lost'): void {
    if (!this.closed) this.tell(state)
  }

  private play(track: RemoteTrack): void {
    if (track.kind !== Track.Kind.Audio) return
    const element = track.attach()
    element.dataset.testid = 'call-sound'
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
