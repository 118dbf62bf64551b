/** The wall: which camera is in which tile, which tile is selected. A page of it is shown; all of it is remembered. */

export const sizes = [1, 4, 9, 16, 25] as const
export type Size = (typeof sizes)[number]
export const places = 25

export interface Wall {
  size: Size
  /** A camera for each of the 25 places, null where there is none. */
  slots: readonly (string | null)[]
  /** Place, 0 … 24. */
  selected: number
}

export const emptyWall: Wall = { size: 4, slots: Array.from({ length: places }, () => null), selected: 0 }

/** The first place of the page that holds the selected one. */
export function pageStart(wall: Wall): number {
  return Math.floor(wall.selected / wall.size) * wall.size
}

/** The places of the page that is shown, in order. */
export function shownPlaces(wall: Wall): number[] {
  const from = pageStart(wall)
  return Array.from({ length: Math.min(wall.size, places - from) }, (_, i) => from + i)
}

/** The cameras of the page that is shown, each once. */
export function shownCameras(wall: Wall): string[] {
  return [...new Set(shownPlaces(wall).flatMap(place => wall.slots[place] ?? []))]
}

export function pageCount(wall: Wall): number {
  return Math.ceil(places / wall.size)
}

/** Whether there is something on other pages, which is then worth turning to. */
export function hasMore(wall: Wall): boolean {
  const here = new Set(shownPlaces(wall))
  return wall.slots.some((camera, place) => camera !== null && !here.has(place))
}

export function turn(wall: Wall, by: number): Wall {
  const pages = pageCount(wall)
  const page = (Math.floor(wall.selected / wall.size) + by + pages) % pages
  return { ...wall, selected: page * wall.size }
}

export function select(wall: Wall, place: number): Wall {
  return place === wall.selected || place < 0 || place >= places ? wall : { ...wall, selected: place }
}

/**
 * Another size. What is shown closes up when it grows smaller than what is open, so that cameras stay in sight: the
 * selected one always does.
 */
export function resize(wall: Wall, size: Size): Wall {
  return { ...wall, size }
}

/** Opens a camera into one place; one that is already shown moves there. */
export function openAt(wall: Wall, camera: string, place: number): Wall {
  const slots = wall.slots.map((old, i) => (i === place ? camera : old === camera ? (wall.slots[place] ?? null) : old))
  return { ...wall, slots, selected: place }
}

/** Opens a camera where people expect it: where it is already, else in the selected tile, else in the next empty one. */
export function open(wall: Wall, camera: string): Wall {
  const shown = shownPlaces(wall)
  const there = shown.find(place => wall.slots[place] === camera)
  if (there !== undefined) return select(wall, there)
  if (wall.slots[wall.selected] == null) return openAt(wall, camera, wall.selected)
  const after = [...shown.filter(place => place > wall.selected), ...shown.filter(place => place < wall.selected)]
  return openAt(wall, camera, after.find(place => wall.slots[place] == null) ?? wall.selected)
}

/** Several at once, on the page that is shown; what does not fit on it is left out, what is elsewhere comes here. */
export function openAll(wall: Wall, cameras: readonly string[]): Wall {
  const shown = shownPlaces(wall)
  const opened = cameras.slice(0, shown.length)
  const first = shown[0] ?? 0
  const slots = wall.slots.map((old, place) => {
    if (shown.includes(place)) return opened[place - first] ?? null
    return old !== null && opened.includes(old) ? null : old
  })
  return { ...wall, slots, selected: first }
}

export function close(wall: Wall, place: number): Wall {
  return { ...wall, slots: wall.slots.map((camera, i) => (i === place ? null : camera)) }
}

export function closeAll(wall: Wall): Wall {
  const here = new Set(shownPlaces(wall))
  return { ...wall, slots: wall.slots.map((camera, i) => (here.has(i) ? null : camera)) }
}

export function swap(wall: Wall, a: number, b: number): Wall {
  const slots = wall.slots.map((camera, i) =>
    i === a ? (wall.slots[b] ?? null) : i === b ? (wall.slots[a] ?? null) : camera,
  )
  return { ...wall, slots, selected: b }
}

/** Where Alt and an arrow go; the page is a square. */
export function neighbourPlace(wall: Wall, direction: 'left' | 'right' | 'up' | 'down'): number {
  const from = pageStart(wall)
  const side = Math.sqrt(wall.size)
  const at = wall.selected - from
  const [x, y] = [at % side, Math.floor(at / side)]
  const to =
    direction === 'left'
      ? [x - 1, y]
      : direction === 'right'
        ? [x + 1, y]
        : direction === 'up'
          ? [x, y - 1]
          : [x, y + 1]
  const [nx = 0, ny = 0] = to
  const place = from + ny * side + nx
  return nx < 0 || ny < 0 || nx >= side || ny >= side || place >= places ? wall.selected : place
}

/** What was written by `JSON.stringify`, or by something else: whatever can be read of it. */
export function readWall(text: string | null): Wall {
  let value: unknown
  try {
    value = JSON.parse(text ?? '')
  } catch {
    return emptyWall
  }
  if (typeof value !== 'object' || value === null) return emptyWall
  const { size, slots, selected } = value as Record<string, unknown>
  const known = sizes.find(one => one === size)
  const list: unknown[] = Array.isArray(slots) ? slots : []
  return {
    size: known ?? emptyWall.size,
    slots: emptyWall.slots.map((_, i) => {
      const camera = list[i]
      return typeof camera === 'string' && camera.length <= 64 ? camera : null
    }),
    selected:
      typeof selected === 'number' && Number.isInteger(selected) && selected >= 0 && selected < places ? selected : 0,
  }
}

/** A saved wall of the person, laid over this one. */
export function laid(layout: { tiles: number; cameras: readonly (string | null)[] }): Wall {
  return readWall(JSON.stringify({ size: layout.tiles, slots: layout.cameras, selected: 0 }))
}
