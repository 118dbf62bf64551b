/** Tiles keep their place: who leaves holds it for ten seconds, who comes goes to the end. */

export const heldFor = 10_000

export interface Place {
  id: string
  /** When its tile went away; undefined while it is there. */
  goneAt: number | undefined
}

/** `held(id)` says whether a tile's place outlives it (people do, a shared screen does not). */
export function arrange(
  before: readonly Place[],
  ids: readonly string[],
  now: number,
  held: (id: string) => boolean,
): Place[] {
  const here = new Set(ids)
  const kept = before.flatMap((place): Place[] => {
    if (here.has(place.id)) return [{ id: place.id, goneAt: undefined }]
    const goneAt = place.goneAt ?? now
    return held(place.id) && now - goneAt < heldFor ? [{ id: place.id, goneAt }] : []
  })
  const known = new Set(kept.map(place => place.id))
  const fresh = ids.filter(id => !known.has(id)).map(id => ({ id, goneAt: undefined }))
  return [...kept, ...fresh]
}

/** When `arrange` has to be asked again although nothing happened; undefined = never. */
export function nextChange(places: readonly Place[]): number | undefined {
  const ends = places.flatMap(place => (place.goneAt === undefined ? [] : [place.goneAt + heldFor]))
  return ends.length ? Math.min(...ends) : undefined
}
