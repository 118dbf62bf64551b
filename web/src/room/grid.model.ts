/** The grid of the room: which steps there are, and the largest 16:9 tile that fits. */

export const steps = [1, 2, 4, 6, 9, 12, 16, 25] as const
export const pageSize = 25

export interface Grid {
  columns: number
  rows: number
  /** px, whole */
  tileWidth: number
  tileHeight: number
}

/** How many places a page of `count` tiles has. */
export function capacity(count: number): number {
  return steps.find(step => step >= count) ?? pageSize
}

/** `width` and `height` are what the tiles and the gaps between them may fill, px. */
export function layout(width: number, height: number, count: number, gap = 8): Grid {
  const places = capacity(count)
  // Two stand side by side; one above the other only where the stage is upright, as on a phone.
  const widths = places === 2 && width >= height ? [2] : Array.from({ length: places }, (_, i) => i + 1)
  let best: Grid = { columns: 1, rows: 1, tileWidth: 0, tileHeight: 0 }
  for (const columns of widths) {
    const rows = Math.ceil(places / columns)
    const byWidth = (width - gap * (columns - 1)) / columns
    const byHeight = ((height - gap * (rows - 1)) / rows) * (16 / 9)
    const tileWidth = Math.floor(Math.max(0, Math.min(byWidth, byHeight)))
    if (tileWidth > best.tileWidth) best = { columns, rows, tileWidth, tileHeight: Math.floor((tileWidth * 9) / 16) }
  }
  return best
}

export function pages(count: number): number {
  return Math.max(1, Math.ceil(count / pageSize))
}

export type Direction = 'left' | 'right' | 'up' | 'down'

/** Where the focus goes from tile `index`; stays when there is nothing in that direction. */
export function neighbour(index: number, direction: Direction, columns: number, count: number): number {
  const column = index % columns
  const to =
    direction === 'left'
      ? column > 0
        ? index - 1
        : index
      : direction === 'right'
        ? column < columns - 1
          ? index + 1
          : index
        : direction === 'up'
          ? index - columns
          : index + columns
  if (to < 0) return index
  if (to < count) return to
  // Below the last full row: the last tile, when the row exists at all.
  const rowOf = (i: number) => Math.floor(i / columns)
  return direction === 'down' && rowOf(to) <= rowOf(count - 1) ? count - 1 : index
}
