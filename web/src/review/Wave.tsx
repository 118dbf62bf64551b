import { useQuery } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import type { RecordingDetail } from '../hub/types'
import { reviewApi } from './api'
import type { Window } from './lanes.model'
import { outline } from './shapes.model'

interface Props {
  recording: RecordingDetail
  track: string | undefined
  window: Window
  length: number
  width: number
}

/** How many steps of a whole recording are asked for. */
const steps = 3000

/** The outline of somebody's sound, behind when he spoke. */
export function Wave({ recording, track, window, length, width }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const running = recording.state === 'recording'
  const step = Math.max(100, Math.ceil(length / steps / 100) * 100)
  const query = useQuery({
    queryKey: ['waveform', recording.id, track, step],
    queryFn: () => reviewApi.waveform(recording.id, track ?? '', step),
    enabled: track !== undefined && length > 0,
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: running ? 10_000 : false,
    placeholderData: before => before,
  })
  const wave = query.data
  useEffect(() => {
    const paper = canvas.current?.getContext('2d')
    if (!canvas.current || !paper || !wave || width <= 0) return
    const height = 26
    canvas.current.width = width
    canvas.current.height = height
    paper.fillStyle = getComputedStyle(canvas.current).color
    for (const [x, loud] of outline(wave, window.from, window.until, width).entries()) {
      const tall = loud * height
      if (tall > 0.4) paper.fillRect(x, (height - tall) / 2, 1, tall)
    }
  }, [wave, window, width])
  return wave ? <canvas className="wave" ref={canvas} aria-hidden data-testid="player-wave" /> : null
}
