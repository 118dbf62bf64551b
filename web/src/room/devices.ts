import {
  createLocalAudioTrack,
  createLocalVideoTrack,
  type LocalAudioTrack,
  type LocalVideoTrack,
} from 'livekit-client'

export type DeviceProblem = 'insecure' | 'denied' | 'missing' | 'busy'

export interface Devices {
  audio: LocalAudioTrack | undefined
  video: LocalVideoTrack | undefined
  mic: { problem: DeviceProblem; name: string } | undefined
  camera: { problem: DeviceProblem; name: string } | undefined
}

/** Why the browser gave nothing. `name` is its own word for it, for technicians. */
export function problemOf(error: unknown): { problem: DeviceProblem; name: string } {
  const name = error instanceof Error ? error.name : 'Error'
  if (!navigator.mediaDevices) return { problem: 'insecure', name: 'InsecureContext' }
  if (name === 'NotAllowedError' || name === 'SecurityError') return { problem: 'denied', name }
  if (name === 'NotFoundError' || name === 'OverconstrainedError' || name === 'DevicesNotFoundError')
    return { problem: 'missing', name }
  return { problem: 'busy', name }
}

/** Opens microphone and camera, each as far as it goes; never rejects. */
export async function openDevices(without: { mic?: boolean } = {}): Promise<Devices> {
  const [audio, video] = await Promise.allSettled([
    without.mic ? Promise.resolve(undefined) : createLocalAudioTrack(),
    createLocalVideoTrack(),
  ])
  return {
    audio: audio.status === 'fulfilled' ? audio.value : undefined,
    mic: audio.status === 'rejected' ? problemOf(audio.reason) : undefined,
    video: video.status === 'fulfilled' ? video.value : undefined,
    camera: video.status === 'rejected' ? problemOf(video.reason) : undefined,
  }
}
