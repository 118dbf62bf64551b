import { ConnectionQuality, type Participant, ParticipantKind, Track, type TrackPublication } from 'livekit-client'
import type { Member, Quality, Video } from './tiles.model'

const qualities: Record<ConnectionQuality, Quality> = {
  [ConnectionQuality.Excellent]: 'excellent',
  [ConnectionQuality.Good]: 'good',
  [ConnectionQuality.Poor]: 'poor',
  [ConnectionQuality.Lost]: 'lost',
  [ConnectionQuality.Unknown]: 'unknown',
}

/** Those here, and those who were here before the break and whose track is gone with it. */
export function withKept(here: Member<Track>[], before: Member<Track>[], since: number): Member<Track>[] {
  const now = new Map(here.map(member => [member.identity, member]))
  const kept = before.map(old => {
    const member = now.get(old.identity)
    now.delete(old.identity)
    const whole = member && (member.local || member.camera?.track || !old.camera?.track)
    return whole ? member : { ...old, speakingSince: undefined, quality: 'lost' as const, staleSince: since }
  })
  return [...kept, ...now.values()]
}

export function isCamera(who: Participant): boolean {
  return who.attributes.kind === 'camera' || who.kind === ParticipantKind.BRIDGE
}

export function nameOf(who: Participant): string {
  return who.name || who.identity
}

export function memberOf(who: Participant, rings: Map<string, number>): Member<Track> {
  const mic = who.getTrackPublication(Track.Source.Microphone)
  const camera = who.getTrackPublication(Track.Source.Camera)
  const screen = who.getTrackPublication(Track.Source.ScreenShare)
  return {
    identity: who.identity,
    name: nameOf(who),
    org: who.attributes.org ?? '',
    kind: isCamera(who) ? 'camera' : 'person',
    local: who.isLocal,
    joinedAt: who.joinedAt?.getTime() ?? 0,
    mic: !mic ? 'none' : mic.isMuted ? 'muted' : 'on',
    camera: videoOf(camera),
    screen: screen && !screen.isMuted ? videoOf(screen) : undefined,
    screenSound: who.getTrackPublication(Track.Source.ScreenShareAudio) !== undefined,
    quality: qualities[who.connectionQuality],
    speakingSince: rings.get(who.identity),
  }
}

function videoOf(publication: TrackPublication | undefined): Video<Track> | undefined {
  return publication && { track: publication.videoTrack, muted: publication.isMuted }
}
