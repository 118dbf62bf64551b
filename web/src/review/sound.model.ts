/** Whose sound is heard. */
export interface Hearing {
  off: boolean
  /** Only this identity. */
  solo: string | undefined
  muted: ReadonlySet<string>
}

export function hears(hearing: Hearing, identity: string): boolean {
  if (hearing.off) return false
  return hearing.solo === undefined ? !hearing.muted.has(identity) : hearing.solo === identity
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
