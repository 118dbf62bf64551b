import { useT } from '../i18n'
import { useBox } from '../ui/box'
import { CameraTile, type TileOf } from './CameraTile'
import { spotSize } from './tile.model'
import { pageStart, shownPlaces, type Wall } from './wall.model'

interface Props {
  wall: Wall
  tileOf(place: number): TileOf | undefined
  isMain(place: number): boolean
  isZoomable(place: number): boolean
  onSelect(place: number): void
  onClose(place: number): void
  onDrop(place: number, camera: string, from: number | undefined): void
  onDiagnose(camera: string): void
}

export function WallGrid({ wall, tileOf, isMain, isZoomable, onSelect, onClose, onDrop, onDiagnose }: Props) {
  const t = useT()
  const [ref, box] = useBox()
  const side = Math.sqrt(wall.size)
  const size = spotSize(box.width, box.height, side)
  return (
    <div className="wall-area" ref={ref}>
      {size.width > 0 && (
        <div
          className="wall-grid"
          role="listbox"
          aria-label={t('wall.title')}
          style={{ gridTemplateColumns: `repeat(${side}, ${size.width}px)` }}
          data-testid="wall"
          data-size={wall.size}
          data-page={pageStart(wall) / wall.size}
        >
          {shownPlaces(wall).map(place => (
            <CameraTile
              key={`${place} ${wall.slots[place] ?? ''}`}
              place={place}
              tile={tileOf(place)}
              style={{ width: size.width, height: size.height }}
              selected={place === wall.selected}
              main={isMain(place)}
              zoomable={isZoomable(place)}
              onSelect={() => onSelect(place)}
              onClose={() => onClose(place)}
              onDrop={(camera, from) => onDrop(place, camera, from)}
              onDiagnose={() => {
                const camera = wall.slots[place]
                if (camera) onDiagnose(camera)
              }}
            />
          ))}
        </div>
      )}
    </div>
  )
}
