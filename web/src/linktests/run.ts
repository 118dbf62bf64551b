import { type RemoteTrack, Room, RoomEvent, Track } from 'livekit-client'
import { type LinkReport, type Measured, nothing, report } from './linktests.model'

const url = () => `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`
const wait = (ms: number) => new Promise(done => setTimeout(done, ms))

/**
 * A picture and a tone go to the hub and come back to a second participant of this page. Nothing of the person is sent:
 * how loud the microphone is, is measured here, and only if the page may use it already.
 */
export async function runLinkTest(tokens: readonly string[], seconds: number): Promise<LinkReport> {
  const sender = new Room()
  const ear = new Room()
  const made = picture()
  const heard: RemoteTrack[] = []
  const played: HTMLMediaElement[] = []
  ear.on(RoomEvent.TrackSubscribed, track => {
    heard.push(track)
    const element = track.attach()
    element.muted = true
    element.hidden = true
    document.body.append(element)
    played.push(element)
  })
  try {
    const [first, second] = tokens
    if (!first || !second) return nothing
    await ear.connect(url(), second)
    await sender.connect(url(), first)
    const video = await sender.localParticipant.publishTrack(made.video, {
      source: Track.Source.Camera,
      simulcast: false,
    })
    await sender.localParticipant.publishTrack(made.audio, { source: Track.Source.Microphone, dtx: false, red: false })
    const levels = await microphone(seconds, wait)
    const measured: Measured = {
      framesSent: 0,
      framesReceived: 0,
      packetsReceived: 0,
      packetsLost: 0,
      soundReceived: 0,
      roundTrips: [],
      levels,
    }
    for (const one of await all(await video.track?.getRTCStatsReport())) {
      if (one.type === 'outbound-rtp') measured.framesSent += number(one.framesSent)
      if (one.type === 'remote-inbound-rtp' && one.roundTripTime !== undefined)
        measured.roundTrips.push(number(one.roundTripTime))
    }
    for (const track of heard)
      for (const one of await all(await track.getRTCStatsReport())) {
        if (one.type !== 'inbound-rtp') continue
        measured.packetsLost += number(one.packetsLost)
        measured.packetsReceived += number(one.packetsReceived)
        if (track.kind === Track.Kind.Audio) measured.soundReceived += number(one.packetsReceived)
        else measured.framesReceived += number(one.framesDecoded)
      }
    return report(measured)
  } catch (error) {
    return { ...nothing, words: (error instanceof Error ? error.message : String(error)).slice(0, 200) }
  } finally {
    made.close()
    for (const element of played) element.remove()
    await Promise.allSettled([sender.disconnect(), ear.disconnect()])
  }
}

const number = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : 0)

async function all(stats: RTCStatsReport | undefined): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = []
  stats?.forEach(one => {
    found.push(one as Record<string, unknown>)
  })
  return found
}

/** A moving bar and a tone, made here. */
function picture() {
  const canvas = document.createElement('canvas')
  canvas.width = 320
  canvas.height = 180
  const pen = canvas.getContext('2d')
  let step = 0
  const timer = setInterval(() => {
    if (!pen) return
    pen.fillStyle = '#0f1215'
    pen.fillRect(0, 0, 320, 180)
    pen.fillStyle = '#3cc8b4'
    pen.fillRect((step * 7) % 320, 0, 24, 180)
    step += 1
  }, 66)
  const context = new AudioContext()
  const tone = context.createOscillator()
  const out = context.createMediaStreamDestination()
  tone.connect(out)
  tone.start()
  const [video] = canvas.captureStream(15).getVideoTracks()
  const [audio] = out.stream.getAudioTracks()
  if (!video || !audio) throw new Error('no picture')
  return {
    video,
    audio,
    close: () => {
      clearInterval(timer)
      void context.close()
    },
  }
}

/** How loud it is, while the test lasts; null: it may not be used without asking. */
async function microphone(seconds: number, rest: (ms: number) => Promise<unknown>): Promise<number[] | null> {
  const state = await navigator.permissions
    .query({ name: 'microphone' as PermissionName })
    .then(one => one.state)
    .catch(() => 'prompt')
  const stream =
    state === 'granted' ? await navigator.mediaDevices.getUserMedia({ audio: true }).catch(() => null) : null
  if (!stream) {
    await rest(seconds * 1000)
    return null
  }
  const context = new AudioContext()
  const analyser = context.createAnalyser()
  context.createMediaStreamSource(stream).connect(analyser)
  const samples = new Float32Array(analyser.fftSize)
  const levels: number[] = []
  for (let n = 0; n < seconds * 10; n += 1) {
    await rest(100)
    analyser.getFloatTimeDomainData(samples)
    levels.push(Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length))
  }
  for (const track of stream.getTracks()) track.stop()
  await context.close()
  return levels
}
