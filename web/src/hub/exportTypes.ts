import type { Reason, Time } from './types'

export type ExportKind = 'film' | 'tracks' | 'bundle'
export type ExportLayout = 'grid' | 'speaker' | 'focus'
export type ExportState = 'asked' | 'waiting' | 'running' | 'done' | 'failed' | 'refused' | 'cancelled' | 'expired'
export type ExportAct = 'approve' | 'refuse' | 'cancel' | 'fetch'

/** `from_ms` and `to_ms` both 0: all of it. */
export interface NewExport {
  kind: ExportKind
  from_ms: number
  to_ms: number
  layout: ExportLayout
  tracks: string[]
  chat: boolean
  grounds: string
}

export interface ExportView extends NewExport {
  id: string
  recording_id: string
  state: ExportState
  rev: number
  percent: number
  begun: number
  size: number
  sha256: string | null
  url: string | null
  reason: Reason | null
  by: { id: string; name: string; org_name: string }
  at: Time
  decision: { name: string; at: Time; reason: string } | null
  until: Time | null
  acts: ExportAct[]
}
