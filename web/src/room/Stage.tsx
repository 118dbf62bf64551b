import type { Track } from 'livekit-client'
import { ChevronLeft, ChevronRight } from 'lucide-react'
import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react'
import { useT } from '../i18n'
import { type Box, useBox } from '../ui/box'
import { Button } from '../ui/controls'
import { useKeys } from '../ui/keys'
import { type Direction, layout, neighbour, pageSize, pages } from './grid.model'
import { arrange, nextChange, type Place } from './places.model'
import { SpeakingBars, TileView } from './TileView'
import { chooseMain, type Member, type Tile } from './tiles.model'

export type ViewKind = 'grid' | 'speaker'

interface Props {
  view: ViewKind
  tiles: Tile<Track>[]
  pinned: string | undefined
  lastSpeaker: string | undefined
  speaker: Member<Track> | undefined
  lost: boolean
  onFrozen(id: string, since: number | undefined): void
  onPin(id: string | undefined): void
}

interface Slot {
  id: string
  tile: Tile<Track> | undefined
  /** Who had this place, when he has left. */
  name: string
}

/** Tiles in places that do not jump; a place of somebody who left is held for ten seconds. */
function usePlaces(tiles: Tile<Track>[]): Slot[] {
  const places = useRef<Place[]>([])
  const names = useRef(new Map<string, string>())
  const [, again] = useState(0)
  for (const tile of tiles) names.current.set(tile.id, tile.name)
  places.current = arrange(
    places.current,
    tiles.map(tile => tile.id),
    Date.now(),
    id => !id.endsWith('/screen'),
  )
  const due = nextChange(places.current)
  useEffect(() => {
    if (due === undefined) return
    const timer = setTimeout(() => again(count => count + 1), Math.max(0, due - Date.now()) + 20)
    return () => clearTimeout(timer)
  }, [due])
  const byId = new Map(tiles.map(tile => [tile.id, tile]))
  return places.current.map(({ id }) => ({ id, tile: byId.get(id), name: names.current.get(id) ?? '' }))
}

/** Alt and arrows move the focus from picture to picture. */
function useMoves(columns: number, count: number): (element: HTMLElement | null) => void {
  const root = useRef<HTMLElement | null>(null)
  const move = (direction: Direction) => {
    const all = [...(root.current?.querySelectorAll<HTMLElement>('[data-index]') ?? [])]
    const at = all.indexOf(document.activeElement as HTMLElement)
    const to = at < 0 ? 0 : neighbour(at, direction, columns, Math.min(count, all.length))
    all[to]?.focus()
  }
  useKeys('room', {
    tileLeft: () => move('left'),
    tileRight: () => move('right'),
    tileUp: () => move('up'),
    tileDown: () => move('down'),
  })
  return useCallback((element: HTMLElement | null) => {
    root.current = element
  }, [])
}

export function Stage(props: Props) {
  const t = useT()
  const [ref, size] = useBox()
  const slots = usePlaces(props.tiles)
  return (
    <section className="stage" aria-label={t('room.stage')} ref={ref}>
      {size.width > 0 &&
        (props.view === 'grid' ? (
          <GridView {...props} slots={slots} size={size} />
        ) : (
          <SpeakerView {...props} slots={slots} size={size} />
        ))}
    </section>
  )
}

type ViewProps = Props & { slots: Slot[]; size: Box }

function GridView({ slots, size, pinned, lost, onFrozen, onPin }: ViewProps) {
  const [page, setPage] = useState(0)
  const count = pages(slots.length)
  const at = Math.min(page, count - 1)
  const shown = slots.slice(at * pageSize, (at + 1) * pageSize)
  const turner = count > 1 ? 40 : 0
  const grid = layout(size.width, size.height - turner, shown.length)
  const root = useMoves(grid.columns, shown.length)
  const box = { width: grid.tileWidth, height: grid.tileHeight }
  const width = grid.columns * grid.tileWidth + (grid.columns - 1) * 8
  return (
    <>
      <div className="grid" ref={root} style={{ width }} data-testid="grid">
        {shown.map((slot, index) => (
          <SlotView
            key={slot.id}
            slot={slot}
            style={box}
            index={index}
            pinned={slot.id === pinned}
            lost={lost}
            onFrozen={onFrozen}
            onPin={() => onPin(slot.id === pinned ? undefined : slot.id)}
          />
        ))}
      </div>
      {count > 1 && <Pager page={at} pages={count} onPage={setPage} />}
    </>
  )
}

interface SlotProps {
  slot: Slot
  style: { width: number; height: number }
  index: number
  pinned: boolean
  lost: boolean
  onFrozen(id: string, since: number | undefined): void
  onPin(): void
}

function SlotView({ slot, ...rest }: SlotProps) {
  const t = useT()
  if (slot.tile) return <TileView tile={slot.tile} {...rest} />
  return (
    <div className="tile vacant" style={rest.style}>
      <span>{t('tile.left', { name: slot.name })}</span>
    </div>
  )
}

function Pager({ page, pages, onPage }: { page: number; pages: number; onPage(page: number): void }) {
  const t = useT()
  return (
    <nav className="pager" aria-label={t('room.pageOf', { page: page + 1, pages })}>
      <Button
        size="small"
        square
        icon={<ChevronLeft size={16} />}
        aria-label={t('room.pagePrevious')}
        onClick={() => onPage(Math.max(0, page - 1))}
      />
      <span className="note">{t('room.pageOf', { page: page + 1, pages })}</span>
      <Button
        size="small"
        square
        icon={<ChevronRight size={16} />}
        aria-label={t('room.pageNext')}
        onClick={() => onPage(Math.min(pages - 1, page + 1))}
      />
    </nav>
  )
}

const stripHeight = 152
const gap = 12

function SpeakerView({ slots, size, tiles, pinned, lastSpeaker, speaker, lost, onFrozen, onPin }: ViewProps) {
  const main = chooseMain(tiles, pinned, lastSpeaker)
  const others = slots.filter(slot => slot.tile && slot.id !== main?.id)
  const height = Math.floor(Math.min(size.height - (others.length ? stripHeight + gap : 0), (size.width * 9) / 16))
  const box = { width: Math.floor((height * 16) / 9), height }
  const root = useMoves(1, others.length + 1)
  return (
    <div className="speaker" ref={root} data-testid="speaker">
      <div className="main-picture" style={box}>
        {main && (
          <TileView
            key={main.id}
            tile={main}
            style={box}
            index={0}
            pinned={main.id === pinned}
            lost={lost}
            onFrozen={onFrozen}
            onPin={() => onPin(main.id === pinned ? undefined : main.id)}
          />
        )}
        {speaker && speaker.identity !== main?.identity && <SpeakerPill speaker={speaker} />}
      </div>
      {others.length > 0 && <Strip slots={others} width={size.width} lost={lost} onFrozen={onFrozen} onPin={onPin} />}
    </div>
  )
}

function SpeakerPill({ speaker }: { speaker: Member<Track> }): ReactNode {
  const t = useT()
  return (
    <span className="speaker-pill" role="status">
      <SpeakingBars /> {t('tile.speakingFor', { name: speaker.name, org: speaker.org })}
    </span>
  )
}

interface StripProps {
  slots: Slot[]
  width: number
  lost: boolean
  onFrozen(id: string, since: number | undefined): void
  onPin(id: string): void
}

/** As many as fit; a press on the last turns to the next ones. */
function Strip({ slots, width, lost, onFrozen, onPin }: StripProps) {
  const t = useT()
  const [from, setFrom] = useState(0)
  const box = { width: Math.floor((stripHeight * 16) / 9), height: stripHeight }
  const moreWidth = 146
  const all = Math.floor((width + 8) / (box.width + 8))
  const fit = slots.length <= all ? all : Math.max(1, Math.floor((width - moreWidth) / (box.width + 8)))
  const start = from < slots.length ? from : 0
  const shown = slots.slice(start, start + fit)
  const rest = slots.length - shown.length
  return (
    <div className="strip">
      {shown.map((slot, index) => (
        <SlotView
          key={slot.id}
          slot={slot}
          style={box}
          index={index + 1}
          pinned={false}
          lost={lost}
          onFrozen={onFrozen}
          onPin={() => onPin(slot.id)}
        />
      ))}
      {rest > 0 && (
        <button
          type="button"
          className="strip-more"
          onClick={() => setFrom(start + fit < slots.length ? start + fit : 0)}
        >
          <ChevronRight size={18} />
          {t('room.moreTiles', { count: rest })}
        </button>
      )}
    </div>
  )
}
