/** Whose sound is heard, and how loud. */
export interface Hearing {
  off: boolean
  /** Only this identity. */
  solo: string | undefined
  muted: ReadonlySet<string>
  /** 0 to 1; who is not in it is heard at 1. */
  volumes: ReadonlyMap<string, number>
  /** Of all, 0 to 1. */
  volume: number
}

export const everybody: Hearing = { off: false, solo: undefined, muted: new Set(), volumes: new Map(), volume: 1 }

export function hears(hearing: Hearing, identity: string): boolean {
  if (hearing.off) return false
  return hearing.solo === undefined ? !hearing.muted.has(identity) : hearing.solo === identity
}

/** 0 to 1. */
export function volumeOf(hearing: Hearing, identity: string): number {
  return hearing.volume * (hearing.volumes.get(identity) ?? 1)
}

/** Pressed a second time it lets everybody be heard again. */
export function solo(hearing: Hearing, identity: string): Hearing {
  return { ...hearing, solo: hearing.solo === identity ? undefined : identity }
}

export function mute(hearing: Hearing, identity: string): Hearing {
  const muted = new Set(hearing.muted)
  if (!muted.delete(identity)) muted.add(identity)
  return { ...hearing, muted, solo: undefined }
}

/** Who is turned up is heard. */
export function setVolume(hearing: Hearing, identity: string, volume: number): Hearing {
  const muted = new Set(hearing.muted)
  if (volume > 0) muted.delete(identity)
  return { ...hearing, muted, volumes: new Map(hearing.volumes).set(identity, Math.min(1, Math.max(0, volume))) }
}
