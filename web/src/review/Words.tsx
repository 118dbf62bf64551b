import { useMemo } from 'react'
import type { PlayerEngine, PlayerView } from './engine'
import { wordsAt } from './lanes.model'
import type { LaneItem } from './shapes.model'
import type { Rect } from './stage.model'
import { useView } from './useView'

/** What was written a moment ago, at the foot of the large picture: between its label and what a camera writes there. */
export function Words({
  engine,
  items,
  over,
}: {
  engine: PlayerEngine
  items: readonly LaneItem[]
  over: Rect | undefined
}) {
  const said = useMemo(() => items.filter(item => item.type === 'chat' && item.text), [items])
  const at = useView(engine, (view: PlayerView) => wordsAt(said, view.position))
  const item = said[at]
  if (!item) return null
  const place = over && { left: over.x + over.width / 2, top: over.y + over.height - 52, maxWidth: over.width * 0.72 }
  return (
    <p className="words-over" style={place} data-testid="player-words">
      {item.who}：{item.text}
    </p>
  )
}
