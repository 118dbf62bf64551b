import { useEffect, useRef } from 'react'
import type { PlayerEngine } from './engine'
import type { Part } from './tracks.model'

interface Props {
  engine: PlayerEngine
  part: Part
  muted: boolean
  shown: boolean
  /** 0 to 1. */
  volume?: number
  fit?: 'cover' | 'contain'
}

/** One segment as the browser plays it; the engine feeds it and moves it. */
export function Media({ engine, part, muted, shown, volume = 1, fit = 'contain' }: Props) {
  const video = useRef<HTMLVideoElement>(null)
  const audio = useRef<HTMLAudioElement>(null)
  const { key } = part
  useEffect(() => {
    const media = video.current ?? audio.current
    return media ? engine.attach(key, media) : undefined
  }, [engine, key])
  useEffect(() => {
    if (audio.current) audio.current.volume = volume
  }, [volume])
  if (part.track.kind === 'audio') return <audio ref={audio} preload="auto" muted={muted} />
  return (
    <video
      ref={video}
      className={fit}
      preload="auto"
      muted
      playsInline
      disablePictureInPicture
      disableRemotePlayback
      hidden={!shown}
      data-key={key}
    />
  )
}
