/** Choosing cameras by keyboard: one line has the mark, any number are chosen. */

export interface Choice {
  /** Index of the marked line; -1 when the list is empty. */
  at: number
  /** Ids in the order they were chosen. */
  chosen: string[]
  /** The last key moved the mark: then the space bar chooses instead of writing. */
  moved: boolean
}

export const start: Choice = { at: 0, chosen: [], moved: false }

export interface Line {
  id: string
  /** Already in the room: cannot be chosen. */
  inRoom: boolean
}

export function move(choice: Choice, lines: readonly Line[], step: number): Choice {
  const at = lines.length ? Math.min(lines.length - 1, Math.max(0, choice.at + step)) : -1
  return { ...choice, at, moved: true }
}

export function toggle(choice: Choice, line: Line | undefined): Choice {
  if (!line || line.inRoom) return choice
  const has = choice.chosen.includes(line.id)
  return { ...choice, chosen: has ? choice.chosen.filter(id => id !== line.id) : [...choice.chosen, line.id] }
}

/** Somebody typed: the list is another, what was chosen stays. */
export function typed(choice: Choice): Choice {
  return { ...choice, at: 0, moved: false }
}

/** What Enter brings in: everything chosen, else the marked line. */
export function toBring(choice: Choice, lines: readonly Line[]): string[] {
  if (choice.chosen.length) return choice.chosen
  const line = lines[choice.at]
  return line && !line.inRoom ? [line.id] : []
}
