/** Policies of recording: what counts of a room, and why. */

import type { Label } from '../hub/types'

export const kinds = ['consultation', 'call', 'group', 'camera'] as const
export type Kind = (typeof kinds)[number]
export const modes = ['always', 'start', 'hand', 'never'] as const
export type Mode = (typeof modes)[number]
export const layers = ['', 'best', 'watched'] as const
export type Layers = (typeof layers)[number]

export interface Policy {
  kind: Kind
  subject: string
  title: string
  label: Label
  /** null: that of its kind. */
  mode: Mode | null
  layers: Layers
  /** What it comes to, and by what: its label, its own policy, its kind's. */
  effective: Mode
  why: 'label' | 'room' | 'kind'
  rev: number
}

export interface Rules {
  labels: Label[]
  kinds: Record<Kind, Mode>
  layers: Exclude<Layers, ''>
}

export interface Policies {
  items: Policy[]
  rules: Rules
}

/** One that can be chosen to get a policy. */
export interface Candidate {
  kind: Kind
  id: string
  title: string
  detail: string
}

/** The setting that says what counts of a kind; cameras have none: there are thousands. */
export const settings: Record<Exclude<Kind, 'camera'> | 'labels' | 'layers', string> = {
  labels: 'recorder.always',
  consultation: 'recorder.consultations',
  call: 'recorder.calls',
  group: 'recorder.groups',
  layers: 'recorder.layers',
}

/** As the environment has it: `COMMHUB_RECORDER__CALLS`. */
export function variable(setting: string): string {
  return `COMMHUB_${setting.replace('.', '__').toUpperCase()}`
}

/** Of one kind ('': all) whose title has all the words; in the order of kinds, then by title. */
export function shown(items: readonly Policy[], kind: Kind | '', q: string): Policy[] {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean)
  return items
    .filter(one => (kind === '' || one.kind === kind) && words.every(word => one.title.toLowerCase().includes(word)))
    .toSorted((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || a.title.localeCompare(b.title, 'zh-CN'))
}

/** What others may no longer do, or what ends at once, has to be asked about before. */
export function grave(before: Mode, after: Mode | null): after is 'never' {
  return after === 'never' && before !== 'never'
}

/** What a room comes to once `mode` is its own. */
export function wouldBe(
  rules: Rules,
  of: Pick<Policy, 'kind' | 'label'>,
  mode: Mode | null,
): Pick<Policy, 'effective' | 'why'> {
  if (of.kind !== 'camera' && rules.labels.includes(of.label)) return { effective: 'always', why: 'label' }
  if (mode !== null) return { effective: mode, why: 'room' }
  return { effective: rules.kinds[of.kind], why: 'kind' }
}
