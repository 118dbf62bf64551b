/** 轮巡: a list of cameras shown a screen at a time. The next screen is opened before it is shown. */

export interface Run {
  cameras: readonly string[]
  tiles: number
  dwell: number
  /** Screen on show, from 0. */
  at: number
  /** When this screen came, ms. */
  since: number
  paused: boolean
}

/** ms before the switch at which the next screen is opened: longer than a cold camera takes, shorter than a short dwell. */
export const ahead = 6000

export function screens(run: Pick<Run, 'cameras' | 'tiles'>): number {
  return Math.max(1, Math.ceil(run.cameras.length / run.tiles))
}

export function screen(run: Run, at: number): string[] {
  const number = ((at % screens(run)) + screens(run)) % screens(run)
  return run.cameras.slice(number * run.tiles, (number + 1) * run.tiles)
}

/** Cameras to have open at `now` beyond those on show. */
export function prefetch(run: Run, now: number): string[] {
  if (run.paused || screens(run) < 2) return []
  return now >= run.since + run.dwell - lead(run) ? screen(run, run.at + 1) : []
}

function lead(run: Run): number {
  return Math.min(ahead, run.dwell / 2)
}

/** The run at `now`: the same one, or with the next screen on show. */
export function advance(run: Run, now: number): Run {
  if (run.paused || screens(run) < 2 || now < run.since + run.dwell) return run
  return { ...run, at: (run.at + 1) % screens(run), since: now }
}

export function step(run: Run, by: number, now: number): Run {
  return { ...run, at: (run.at + by + screens(run)) % screens(run), since: now }
}

/** When something happens next, ms: the prefetch or the switch. Undefined when nothing does by itself. */
export function due(run: Run, now: number): number | undefined {
  if (run.paused || screens(run) < 2) return undefined
  const early = run.since + run.dwell - lead(run)
  return now < early ? early : run.since + run.dwell
}
