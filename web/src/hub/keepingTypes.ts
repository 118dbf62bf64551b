import type { Recording, Time } from './types'

export type KeptState = 'kept' | 'expiring' | 'held' | 'asked' | 'deleting' | 'deleted'

/** What becomes of a recording. `until` null: kept for ever. */
export interface Keeping {
  state: KeptState
  rev: number
  until: Time | null
  expires_at: Time | null
  request: { person_id: string | null; name: string; at: Time; reason: string; lapses_at: Time } | null
  tombstone: Tombstone | null
}

export interface Tombstone {
  at: Time
  why: 'people' | 'retention'
  asked_name: string
  confirmed_name: string
  reason: string
  head: string
  checkpoints: number
  bytes: number
  removed_at: Time | null
}

export interface Hold {
  id: string
  at: Time
  name: string
  reason: string
  lifted_at: Time | null
  lifted_name: string
  lifted_reason: string
}

export type KeepingAct = 'hold' | 'lift' | 'ask' | 'confirm' | 'refuse'

export interface KeptRecording {
  recording: Recording
  holds: Hold[]
  acts: KeepingAct[]
}

export type DiskLevel = 'ample' | 'low' | 'thin' | 'full'

export interface Usage {
  org_id: string
  org_name: string
  bytes: number
  recordings: number
  quota: number | null
  own: boolean
  percent: number
  level: 0 | 80 | 100
  rev: number
}

export interface StorageState {
  disk: { free: number; total: number; step: string; level: DiskLevel } | null
  organisations: Usage[]
}
