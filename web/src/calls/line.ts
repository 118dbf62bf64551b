import { type LocalTrack, type Participant, type RemoteTrack, Room, RoomEvent, Track } from 'livekit-client'
import type { CallTicket } from './calls.model'

/** A picture in a call: whose it is, and what it shows. */
export interface Shot {
  identity: string
  name: string
  track: Track
  local: boolean
}

export interface LineNews {
  state(state: 'joining' | 'in' | 'lost'): void
  /** Everything there is to see now. */
  shots(shots: Shot[]): void
}

/** The sound and the pictures of one call: our microphone and camera in its room, and everybody else's. */
export class Line {
  private readonly room = new Room({ adaptiveStream: true })
  private readonly heard = new Set<HTMLMediaElement>()
  private closed = false

  constructor(private readonly tell: LineNews) {
    const look = () => this.look()
    this.room
      .on(RoomEvent.TrackSubscribed, track => this.play(track))
      .on(RoomEvent.TrackUnsubscribed, track => this.silence(track))
      .on(RoomEvent.LocalTrackPublished, look)
      .on(RoomEvent.LocalTrackUnpublished, look)
      .on(RoomEvent.TrackMuted, look)
      .on(RoomEvent.TrackUnmuted, look)
      .on(RoomEvent.ParticipantDisconnected, look)
      .on(RoomEvent.Reconnecting, () => this.say('lost'))
      .on(RoomEvent.SignalReconnecting, () => this.say('lost'))
      .on(RoomEvent.Reconnected, () => this.say('in'))
      .on(RoomEvent.Disconnected, () => this.say('lost'))
      // A page that has not been pressed yet must not play: the next press lets it.
      .on(RoomEvent.AudioPlaybackStatusChanged, () => {
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

  /** Rejects when there is no camera, or the person does not allow it. */
  async camera(on: boolean): Promise<void> {
    await this.room.localParticipant.setCameraEnabled(on)
    this.look()
  }

  close(): void {
    this.closed = true
    void this.room.disconnect()
    for (const element of this.heard) element.remove()
    this.heard.clear()
  }

  private say(state: 'joining' | 'in' | 'lost'): void {
    if (!this.closed) this.tell.state(state)
  }

  private look(): void {
    if (this.closed) return
    const all: Participant[] = [...this.room.remoteParticipants.values(), this.room.localParticipant]
    this.tell.shots(
      all.flatMap(who =>
        [...who.videoTrackPublications.values()].flatMap(({ track, isMuted }) =>
          track && !isMuted ? [{ identity: who.identity, name: who.name ?? '', track, local: who.isLocal }] : [],
        ),
      ),
    )
  }

  private play(track: RemoteTrack): void {
    if (track.kind === Track.Kind.Video) this.look()
    if (track.kind !== Track.Kind.Audio) return
    const element = track.attach()
    element.dataset.testid = 'call-sound'
    element.hidden = true
    document.body.append(element)
    this.heard.add(element)
  }

  private silence(track: RemoteTrack | LocalTrack): void {
    if (track.kind === Track.Kind.Video) {
      this.look()
      return
    }
    for (const element of track.detach()) {
      element.remove()
      this.heard.delete(element)
    }
  }
}
