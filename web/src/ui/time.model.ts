/** Times and durations as they are written: 24 h, tabular, durations as 00:42 or 00:42:10. */

const two = (n: number) => String(Math.floor(n)).padStart(2, '0')

export function clockTime(ms: number): string {
  const date = new Date(ms)
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

export function shortTime(ms: number): string {
  return clockTime(ms).slice(0, 5)
}

/** `2026-07-13 23:41`. */
export function dateTime(ms: number): string {
  const date = new Date(ms)
  return `${dayKey(ms)} ${two(date.getHours())}:${two(date.getMinutes())}`
}

/** Local day, sortable. */
export function dayKey(ms: number): string {
  const date = new Date(ms)
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

/** Always with hours: `00:42:10`. */
export function longDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  return `${two(seconds / 3600)}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`
}

/** Hours only when there are some: `00:42`, `01:12:05`. */
export function duration(ms: number): string {
  const text = longDuration(ms)
  return text.startsWith('00:') ? text.slice(3) : text
}

export function minutesSince(from: number, now: number): number {
  return Math.max(0, Math.floor((now - from) / 60_000))
}

/** Which of today, yesterday or an earlier day; what the group of a list is called. */
export function dayGroup(ms: number, now: number): 'today' | 'yesterday' | string {
  const key = dayKey(ms)
  if (key === dayKey(now)) return 'today'
  return key === dayKey(now - 86_400_000) ? 'yesterday' : key
}
