import { useEffect, useRef } from 'react'
import type { PlayerEngine } from './engine'
import type { Part } from './tracks.model'

interface Props {
  engine: PlayerEngine
  part: Part
  muted: boolean
  shown: boolean
  fit?: 'cover' | 'contain'
}

/** One segment as the browser plays it: a plain source, fetched by ranges. */
export function Media({ engine, part, muted, shown, fit = 'contain' }: Props) {
  const video = useRef<HTMLVideoElement>(null)
  const audio = useRef<HTMLAudioElement>(null)
  useEffect(() => {
    const media = video.current ?? audio.current
    return media ? engine.attach(part, media) : undefined
  }, [engine, part])
  if (part.track.kind === 'audio') return <audio ref={audio} src={part.segment.url} preload="auto" muted={muted} />
  return <video ref={video} className={fit} src={part.segment.url} preload="auto" muted playsInline hidden={!shown} />
}
