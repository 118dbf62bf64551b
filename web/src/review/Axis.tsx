import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import type { RecordingDetail } from '../hub/types'
import { useT } from '../i18n'
import { clockTime, longDuration } from '../ui/time.model'
import { reviewApi } from './api'
import type { PlayerEngine } from './engine'
import type { Window } from './lanes.model'
import { thumbnailAt } from './shapes.model'
import type { Range } from './Timeline'
import { tenthOf, useView } from './useView'

interface Props {
  recording: RecordingDetail
  engine: PlayerEngine
  window: Window
  picture: string | undefined
  range: Range | undefined
  marks: { at: number; text: string }[]
  measure(element: HTMLElement | null): void
  children: ReactNode
}

/** The bar that is dragged, with the times of day; over it what is to be seen where the pointer is. */
export function Axis({ recording, engine, window, picture, range, marks, measure, children }: Props) {
  const t = useT()
  const position = useView(engine, tenthOf)
  const [hover, setHover] = useState<number>()
  const size = window.until - window.from
  const share = (ms: number) => Math.min(1, Math.max(0, (ms - window.from) / size))
  return (
    <div className="axis">
      <div className="lane-head">{children}</div>
      <div
        className="lane-track"
        ref={measure}
        onPointerMove={event => {
          const box = event.currentTarget.getBoundingClientRect()
          setHover(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)))
        }}
        onPointerLeave={() => setHover(undefined)}
      >
        {range && (
          <i
            className="range"
            style={{ left: `${share(range.start) * 100}%`, width: `${(share(range.end) - share(range.start)) * 100}%` }}
            title={t('player.range', { from: longDuration(range.start), to: longDuration(range.end) })}
          />
        )}
        {marks.map(mark => (
          <span key={mark.text} className="tick" style={{ left: `${mark.at * 100}%` }}>
            {mark.text}
          </span>
        ))}
        <input
          type="range"
          min={Math.floor(window.from)}
          max={Math.ceil(window.until)}
          step={1}
          value={Math.round(Math.min(window.until, Math.max(window.from, position)))}
          aria-label={t('player.seek')}
          aria-valuetext={longDuration(position)}
          onChange={event => engine.seek(Number(event.target.value))}
          data-testid="player-seek"
        />
        <span className="headtime" aria-hidden>
          {longDuration(position)}
        </span>
        {hover !== undefined && (
          <Preview recording={recording} picture={picture} at={window.from + hover * size} share={hover} />
        )}
      </div>
    </div>
  )
}

interface PreviewProps {
  recording: RecordingDetail
  picture: string | undefined
  at: number
  share: number
}

function Preview({ recording, picture, at, share }: PreviewProps) {
  const running = recording.state === 'recording'
  const query = useQuery({
    queryKey: ['thumbnails', recording.id, picture],
    queryFn: () => reviewApi.thumbnails(recording.id, picture ?? ''),
    enabled: picture !== undefined,
    retry: false,
    staleTime: running ? 10_000 : Number.POSITIVE_INFINITY,
  })
  const found = thumbnailAt(query.data?.sheets ?? [], at)
  return (
    <div className="preview" style={{ left: `${share * 100}%` }} aria-hidden data-testid="player-preview">
      {found && (
        <i
          style={{
            width: found.sheet.tile_width,
            height: found.sheet.tile_height,
            backgroundImage: `url("${found.sheet.url}")`,
            backgroundPosition: `-${found.x}px -${found.y}px`,
          }}
        />
      )}
      <span>
        {longDuration(at)} · {clockTime(Date.parse(recording.started_at) + at)}
      </span>
    </div>
  )
}
