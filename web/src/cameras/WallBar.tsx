import { Camera, ChevronLeft, ChevronRight, PanelRight, Video, XCircle } from 'lucide-react'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import type { View } from './connection'
import { Layouts } from './Layouts'
import { bitrate } from './tile.model'
import { hasMore, laid, pageCount, pageStart, shownCameras, sizes, turn, type Wall } from './wall.model'

interface Props {
  wall: Wall
  view: View | undefined
  shooting: boolean
  onWall(change: (wall: Wall) => Wall): void
  onSize(size: (typeof sizes)[number]): void
  onShootAll(): void
  onBring(): void
  onCloseAll(): void
  /** Where the window is narrow the controls lie over the wall when they are asked for. */
  side: boolean
  onSide(open: boolean): void
}

export function WallBar(props: Props) {
  const { wall, view, shooting, onWall, onSize, onShootAll, onBring, onCloseAll, side, onSide } = props
  const t = useT()
  const count = shownCameras(wall).length
  return (
    <div className="wall-bar">
      <div className="tabs" role="group" aria-label={t('wall.tiles')}>
        {sizes.map(size => (
          <button
            type="button"
            key={size}
            aria-pressed={wall.size === size}
            aria-label={t('wall.tilesOf', { count: size })}
            onClick={() => onSize(size)}
            data-testid={`wall-${size}`}
          >
            {size}
          </button>
        ))}
      </div>
      {hasMore(wall) && <Pages wall={wall} onTurn={by => onWall(old => turn(old, by))} />}
      <Layouts wall={wall} onLay={layout => onWall(() => laid(layout))} />
      <span className="note wall-state cut" role="status" data-testid="wall-state">
        <State view={view} count={count} />
      </span>
      <span className="grow" />
      <Button
        icon={<XCircle size={16} />}
        refused={!count && t('wall.none')}
        onClick={onCloseAll}
        data-testid="wall-close"
      >
        {t('wall.closeAll')}
      </Button>
      <Button
        icon={<Camera size={16} />}
        pending={shooting && t('side.shooting')}
        refused={!count && t('wall.none')}
        onClick={onShootAll}
        data-testid="shoot-all"
      >
        {t('wall.shootAll')}
      </Button>
      <Button look="primary" icon={<Video size={16} />} onClick={onBring} data-testid="bring">
        {t('wall.bring')}
      </Button>
      <Button
        square
        className="side-switch"
        icon={<PanelRight size={18} />}
        aria-label={t('side.show')}
        title={t('side.show')}
        aria-expanded={side}
        aria-controls="camera-side"
        onClick={() => onSide(!side)}
        data-testid="side-switch"
      />
    </div>
  )
}

function Pages({ wall, onTurn }: { wall: Wall; onTurn(by: number): void }) {
  const t = useT()
  const values = { page: pageStart(wall) / wall.size + 1, pages: pageCount(wall) }
  return (
    <span className="wall-pages" role="group" aria-label={t('wall.page', values)}>
      <Button
        size="small"
        square
        icon={<ChevronLeft size={16} />}
        aria-label={t('wall.previous')}
        onClick={() => onTurn(-1)}
      />
      <span className="note">
        {values.page} / {values.pages}
      </span>
      <Button
        size="small"
        square
        icon={<ChevronRight size={16} />}
        aria-label={t('wall.next')}
        onClick={() => onTurn(1)}
      />
    </span>
  )
}

function State({ view, count }: { view: View | undefined; count: number }) {
  const t = useT()
  if (!view || view.phase === 'opening') return t('wall.connecting')
  if (view.phase === 'lost') return <strong>{t('wall.lost')}</strong>
  if (typeof view.phase === 'object') {
    const { failed } = view.phase
    return <strong>{failed === 'duplicate' ? t('wall.duplicate') : t('wall.failed', { reason: failed })}</strong>
  }
  return count ? t('wall.summary', { count, bitrate: bitrate(view.bitrate) }) : t('wall.none')
}
