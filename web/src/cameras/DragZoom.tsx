import { type PointerEvent, useState } from 'react'
import { useCommand } from '../app/command'
import { hub } from '../app/hub'
import { useT } from '../i18n'
import { type Box, zoomOf } from './zoom.model'

/** Over a picture: a frame dragged to the right zooms into it, to the left out of it. */
export function DragZoom({ camera }: { camera: string }) {
  const t = useT()
  const [box, setBox] = useState<Box>()
  const [run] = useCommand()
  const at = (event: PointerEvent<HTMLElement>) => {
    const frame = event.currentTarget.getBoundingClientRect()
    return { x: event.clientX - frame.left, y: event.clientY - frame.top }
  }
  const down = (event: PointerEvent<HTMLElement>) => {
    if (event.button !== 0) return
    const from = at(event)
    event.currentTarget.setPointerCapture(event.pointerId)
    setBox({ from, to: from })
  }
  const up = (event: PointerEvent<HTMLElement>) => {
    const layer = event.currentTarget
    setBox(undefined)
    const video = layer.parentElement?.querySelector('video')
    if (!box || !video) return
    const zoom = zoomOf(
      { ...box, to: at(event) },
      layer.clientWidth,
      layer.clientHeight,
      video.videoWidth,
      video.videoHeight,
    )
    if (zoom) void run(() => hub.cameras.control(camera, zoom.verb, zoom.values))
  }
  return (
    <div
      className="drag-zoom"
      title={t('ptz.dragHint')}
      onPointerDown={down}
      onPointerMove={event => box && setBox({ ...box, to: at(event) })}
      onPointerUp={up}
      onPointerCancel={() => setBox(undefined)}
      data-testid="drag-zoom"
    >
      {box && (
        <i
          style={{
            left: Math.min(box.from.x, box.to.x),
            top: Math.min(box.from.y, box.to.y),
            width: Math.abs(box.to.x - box.from.x),
            height: Math.abs(box.to.y - box.from.y),
          }}
        />
      )}
    </div>
  )
}
