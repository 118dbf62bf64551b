/** How everybody sends and receives, made ready to be shown. */

import type { ParticipantStats } from '../hub/types'

export type Look = 'inverse' | 'outline' | ''

/** Who needs help stands first; among equals the order stays, so that rows do not jump. */
export function inOrderOfNeed(participants: readonly ParticipantStats[]): ParticipantStats[] {
  const rank = { bad: 0, noticed: 1, fine: 2 }
  return [...participants].sort((a, b) => rank[a.verdict.grade] - rank[b.verdict.grade])
}

/** Colour means something else; what is bad stands out by the strongest emphasis there is without it. */
export function look(participant: ParticipantStats): Look {
  return { bad: 'inverse', noticed: 'outline', fine: '' }[participant.verdict.grade] as Look
}

/** `1.2 Mbit/s`, `340 kbit/s`; a dash for nothing. */
export function rate(bits: number): string {
  if (bits <= 0) return '—'
  return bits >= 1_000_000 ? `${(bits / 1_000_000).toFixed(1)} Mbit/s` : `${Math.round(bits / 1000)} kbit/s`
}

export function percent(share: number): string {
  return share > 0 && share < 0.005 ? '< 1%' : `${Math.round(share * 100)}%`
}

export interface Summary {
  bad: number
  noticed: number
}

export function summary(participants: readonly ParticipantStats[]): Summary {
  const count = (grade: string) => participants.filter(one => one.verdict.grade === grade).length
  return { bad: count('bad'), noticed: count('noticed') }
}

/** The pictures somebody receives: what layer is sent of what his view has room for. */
export function layers(participant: ParticipantStats): { identity: string; sent: number | null; wanted: number }[] {
  return participant.down
    .filter(track => track.kind === 'video' && track.seen)
    .map(track => ({ identity: track.identity, sent: track.paused ? null : track.layer, wanted: track.wanted }))
}
