import type { Keeping } from '../hub/keepingTypes'

const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const

/** `1536` → `1.5 KB`; three digits at most, as disks are counted: 1024. */
export function sizeText(bytes: number): string {
  let value = Math.max(0, bytes)
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2
  return `${Number(value.toFixed(digits))} ${units[unit]}`
}

/** Gigabytes that somebody has typed, in bytes: empty is null (as all others), wrong is undefined. */
export function quotaBytes(text: string): number | null | undefined {
  const said = text.trim().replace(',', '.')
  if (!said) return null
  if (!/^\d{1,9}(\.\d{1,3})?$/.test(said)) return undefined
  return Math.round(Number(said) * 1024 ** 3)
}

/** Is there only its tombstone left? */
export function isGone(keeping: Keeping | undefined): boolean {
  return keeping?.state === 'deleting' || keeping?.state === 'deleted'
}

/** How full, 0 to 100, of what is shown as a bar. */
export function fullness(used: number, total: number): number {
  return total > 0 ? Math.min(100, Math.max(0, (used * 100) / total)) : 0
}
