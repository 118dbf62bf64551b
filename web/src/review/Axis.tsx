import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useEffect, useState } from 'react'
import { useSettled } from '../app/command'
import type { RecordingDetail } from '../hub/types'
import { useT } from '../i18n'
import { clockTime, longDuration } from '../ui/time.model'
import { reviewApi } from './api'
import type { PlayerEngine } from './engine'
import type { Window } from './lanes.model'
import { type Thumbnail, thumbnailAt } from './shapes.model'
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

/** px; at the ends of the bar the preview stays over it. */
const halfWide = 86

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
    <div
      className="preview"
      style={{ left: `clamp(${halfWide}px, ${share * 100}%, calc(100% - ${halfWide}px))` }}
      aria-hidden
      data-testid="player-preview"
    >
      {found && <Tile found={found} />}
      <span>
        {longDuration(at)} · {clockTime(Date.parse(recording.started_at) + at)}
      </span>
    </div>
  )
}

/** ms; whoever passes over a sheet on the way to another one does not have it made. */
const resting = 150

/** One picture of a sheet, which the hub makes when it is asked for the first time. Nothing where it has none. */
function Tile({ found: { sheet, x, y } }: { found: Thumbnail }) {
  const { url } = sheet
  const wanted = useSettled(url, resting)
  const [known, setKnown] = useState<{ url: string; there: boolean }>()
  useEffect(() => {
    const image = new Image()
    image.onload = () => setKnown({ url: wanted, there: true })
    image.onerror = () => setKnown({ url: wanted, there: false })
    image.src = wanted
    return () => {
      image.onload = null
      image.onerror = null
      image.src = ''
    }
  }, [wanted])
  const state = known?.url !== url ? 'coming' : known.there ? 'there' : 'none'
  if (state === 'none') return null
  const size = { width: sheet.tile_width, height: sheet.tile_height }
  return (
    <i
      data-testid="player-thumbnail"
      data-state={state}
      style={
        state === 'there' ? { ...size, backgroundImage: `url("${url}")`, backgroundPosition: `-${x}px -${y}px` } : size
      }
    >
      {state === 'coming' && <span className="spin" />}
    </i>
  )
}
