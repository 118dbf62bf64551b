/** Where the pictures of the player stand: a large one, the others beside it. */

export interface Rect {
  x: number
  y: number
  width: number
  height: number
}

const gap = 8
const ratio = 16 / 9

/** Equal rectangles, the largest 16:9 that fit; the last row stands in the middle. */
export function gridLayout(width: number, height: number, count: number): Rect[] {
  if (count <= 0 || width <= 0 || height <= 0) return []
  let columns = 1
  let tile = 0
  for (let n = 1; n <= count; n += 1) {
    const rows = Math.ceil(count / n)
    const fits = Math.min((width - gap * (n - 1)) / n, ((height - gap * (rows - 1)) / rows) * ratio)
    if (fits > tile + 0.5) {
      tile = fits
      columns = n
    }
  }
  const size = { width: Math.floor(tile), height: Math.floor(tile / ratio) }
  const rows = Math.ceil(count / columns)
  const top = Math.floor((height - rows * size.height - (rows - 1) * gap) / 2)
  return Array.from({ length: count }, (_, i) => {
    const row = Math.floor(i / columns)
    const inRow = row === rows - 1 ? count - row * columns : columns
    const left = Math.floor((width - inRow * size.width - (inRow - 1) * gap) / 2)
    return { x: left + (i % columns) * (size.width + gap), y: top + row * (size.height + gap), ...size }
  })
}

/** Rectangles for `count` pictures in a stage of `width` × `height` px; the first is the large one. */
export function playerLayout(width: number, height: number, count: number): Rect[] {
  if (count <= 0 || width <= 0 || height <= 0) return []
  if (count === 1) return [inside({ x: 0, y: 0, width, height })]
  const rest = count - 1
  let best: Rect[] = []
  let area = 0
  for (let columns = 1; columns <= Math.min(rest, 6); columns += 1) {
    const rows = Math.ceil(rest / columns)
    const byHeight = ((height - gap * (rows - 1)) / rows) * ratio
    // The large picture never gets less than half of the width.
    const byWidth = (width / 2 - gap * columns) / columns
    const tile = Math.floor(Math.min(byHeight, byWidth))
    if (tile <= 0) continue
    const main = inside({ x: 0, y: 0, width: width - columns * (tile + gap), height })
    const tileHeight = Math.floor(tile / ratio)
    const score = main.width * main.height + 1.6 * rest * tile * tileHeight
    if (score <= area) continue
    area = score
    best = place(main, { columns, rows, tile, tileHeight }, rest, width, height)
  }
  return best
}

interface Side {
  columns: number
  rows: number
  tile: number
  tileHeight: number
}

function place(main: Rect, side: Side, rest: number, width: number, height: number): Rect[] {
  const { columns, rows, tile, tileHeight } = side
  const total = main.width + columns * (tile + gap)
  const left = Math.floor((width - total) / 2)
  const top = Math.floor((height - rows * tileHeight - (rows - 1) * gap) / 2)
  const tiles = Array.from({ length: rest }, (_, i) => ({
    x: left + main.width + gap + (i % columns) * (tile + gap),
    y: top + Math.floor(i / columns) * (tileHeight + gap),
    width: tile,
    height: tileHeight,
  }))
  return [{ ...main, x: left, y: Math.floor((height - main.height) / 2) }, ...tiles]
}

/** The largest 16:9 in a box, in its middle. */
function inside(box: Rect): Rect {
  const width = Math.floor(Math.min(box.width, box.height * ratio))
  const height = Math.floor(width / ratio)
  return {
    x: box.x + Math.floor((box.width - width) / 2),
    y: box.y + Math.floor((box.height - height) / 2),
    width,
    height,
  }
}
