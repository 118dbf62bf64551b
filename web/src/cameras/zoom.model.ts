/** A frame drawn on a picture, as a device understands it (GB/T 28181, DragZoomIn and DragZoomOut): pixels of the window. */

export interface Point {
  x: number
  y: number
}

export interface Box {
  from: Point
  to: Point
}

export interface Zoom {
  verb: 'zoom_to' | 'zoom_from'
  values: Record<'length' | 'width' | 'x' | 'y' | 'length_x' | 'length_y', string>
}

/** px; less is a click. */
export const least = 12

/**
 * `width` and `height` are those of the element, in which the picture lies whole with bars beside it; the frame is cut to
 * the picture. Undefined when it is none.
 */
export function zoomOf(box: Box, width: number, height: number, video: number, videoHeight: number): Zoom | undefined {
  if (!video || !videoHeight) return undefined
  const scale = Math.min(width / video, height / videoHeight)
  const [w, h] = [video * scale, videoHeight * scale]
  const [left, top] = [(width - w) / 2, (height - h) / 2]
  const within = (value: number, most: number) => Math.max(0, Math.min(most, value))
  const xs = [box.from.x, box.to.x].map(x => within(x - left, w))
  const ys = [box.from.y, box.to.y].map(y => within(y - top, h))
  const [x0 = 0, x1 = 0, y0 = 0, y1 = 0] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)]
  if (x1 - x0 < least || y1 - y0 < least) return undefined
  const text = (value: number) => String(Math.round(value))
  return {
    verb: box.to.x >= box.from.x ? 'zoom_to' : 'zoom_from',
    values: {
      length: text(w),
      width: text(h),
      x: text((x0 + x1) / 2),
      y: text((y0 + y1) / 2),
      length_x: text(x1 - x0),
      length_y: text(y1 - y0),
    },
  }
}
