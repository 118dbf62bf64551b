import type { Device } from '../hub/cameraTypes'

const order = { quarantine: 0, admitted: 1, refused: 2 } as const

/** Who waits comes first, then by name; who was refused last. */
export function sorted(devices: readonly Device[]): Device[] {
  return [...devices].sort(
    (a, b) => order[a.state] - order[b.state] || a.name.localeCompare(b.name, 'zh') || (a.code < b.code ? -1 : 1),
  )
}

/** Share of a catalogue that has come, 0 … 1; undefined when the device has not said how much there is. */
export function progress(catalogue: Device['catalogue']): number | undefined {
  if (catalogue.total <= 0) return undefined
  return Math.min(1, catalogue.received / catalogue.total)
}

export function isCode(text: string): boolean {
  return /^\d{20}$/.test(text)
}

/** `34020000 001 1320000001`: area, type and number of a code, to be read out. */
export function spaced(code: string): string {
  return isCode(code) ? `${code.slice(0, 8)} ${code.slice(8, 13)} ${code.slice(13)}` : code
}
