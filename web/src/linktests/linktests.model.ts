/** Link tests as the hub tells them, and what the page shows of an organisation. */
export type LinkState = 'running' | 'well' | 'weak' | 'failed' | 'offline' | 'busy' | 'untestable'
export type LinkReason =
  | 'no_terminal'
  | 'silent'
  | 'refused'
  | 'no_result'
  | 'not_joined'
  | 'no_video'
  | 'no_sound'
  | 'loss'
  | 'delay'
  | 'few_frames'
  | 'no_microphone'
  | 'microphone_silent'
  | 'cameras_offline'
  | 'telephone_only'
  | 'restarted'

export interface LinkReport {
  joined: boolean
  frames_sent: number
  frames_received: number
  sound_received: number
  loss: number
  round_trip: number
  microphone: number | null
  words: string
}

export interface LinkTest {
  id: string
  org: { id: string; name: string }
  by: { id: string; name: string; org_name: string } | null
  person: { id: string; name: string; org_name: string } | null
  began_at: string
  ended_at: string | null
  state: LinkState
  reasons: LinkReason[]
  report: LinkReport | null
}

export type Light = 'green' | 'yellow' | 'red' | 'grey'

/** What a state means for the line: nothing known is grey. */
export function light(state: LinkState | undefined): Light {
  if (state === 'well') return 'green'
  if (state === 'weak') return 'yellow'
  if (state === 'failed' || state === 'offline') return 'red'
  return 'grey'
}

const order: Light[] = ['red', 'yellow', 'grey', 'green']

export interface Row {
  org: { id: string; name: string }
  last: LinkTest | undefined
  light: Light
}

/** Organisations with trouble first. */
export function rows(orgs: readonly { id: string; name: string }[], last: readonly LinkTest[]): Row[] {
  const known = new Map(last.map(one => [one.org.id, one]))
  const all = orgs.map(org => ({ org, last: known.get(org.id), light: light(known.get(org.id)?.state) }))
  return all.sort((a, b) => order.indexOf(a.light) - order.indexOf(b.light))
}

/** What `getStats` of the terminal says, as the report wants it. */
export interface Measured {
  framesSent: number
  framesReceived: number
  packetsReceived: number
  packetsLost: number
  soundReceived: number
  roundTrips: number[]
  levels: number[] | null
}

export function report(measured: Measured): LinkReport {
  const all = measured.packetsReceived + measured.packetsLost
  const trips = measured.roundTrips
  return {
    joined: true,
    frames_sent: measured.framesSent,
    frames_received: measured.framesReceived,
    sound_received: measured.soundReceived,
    loss: all > 0 ? Math.min(1, Math.max(0, measured.packetsLost / all)) : 0,
    round_trip: trips.length ? Math.round((trips.reduce((a, b) => a + b, 0) / trips.length) * 1000) : 0,
    microphone: measured.levels === null ? null : Math.min(1, Math.max(0, ...measured.levels)),
    words: '',
  }
}

export const nothing: LinkReport = {
  joined: false,
  frames_sent: 0,
  frames_received: 0,
  sound_received: 0,
  loss: 0,
  round_trip: 0,
  microphone: null,
  words: '',
}
