import type { Track } from 'livekit-client'
import { useEffect, useRef, useState } from 'react'

interface Props {
  track: Track
  fit: 'cover' | 'contain'
  mirrored?: boolean
  /** ms without a frame until it is told. */
  patience?: number
  /** The first frame is there. */
  onFrame?(): void
  /** Tells since when (our clock, ms) no frame has come; undefined while they come. */
  onFrozen?(since: number | undefined): void
}

/** A video element the track is attached to. The library watches its size and asks for the layer that fits. */
export function Picture({ track, fit, mirrored, patience = 5000, onFrame, onFrozen }: Props) {
  const [element, setElement] = useState<HTMLVideoElement | null>(null)
  useEffect(() => {
    if (!element) return
    track.attach(element)
    return () => {
      track.detach(element)
    }
  }, [track, element])
  useFrozen(element, onFrozen, patience)
  return (
    <video
      ref={setElement}
      className={`${fit}${mirrored ? ' mirrored' : ''}`}
      onLoadedData={onFrame}
      autoPlay
      playsInline
      muted
    />
  )
}

/** Watches that frames come. Nothing is said while the page is hidden: then the browser itself stops them. */
function useFrozen(
  element: HTMLVideoElement | null,
  tell: ((since: number | undefined) => void) | undefined,
  patience: number,
): void {
  const current = useRef({ tell, patience })
  current.current = { tell, patience }
  const watched = tell !== undefined
  useEffect(() => {
    if (!element || !watched) return
    let last = Date.now()
    let frames = -1
    let said: number | undefined
    const timer = setInterval(() => {
      const now = Date.now()
      const { totalVideoFrames } = element.getVideoPlaybackQuality()
      if (document.hidden || totalVideoFrames !== frames) {
        frames = totalVideoFrames
        last = now
      }
      const frozen = frames > 0 && now - last >= current.current.patience ? last : undefined
      if (frozen !== said) {
        said = frozen
        current.current.tell?.(frozen)
      }
    }, 500)
    return () => {
      clearInterval(timer)
      if (said !== undefined) current.current.tell?.(undefined)
    }
  }, [element, watched])
}

export function Sound({ track }: { track: Track }) {
  const ref = useRef<HTMLAudioElement>(null)
  useEffect(() => {
    const element = ref.current
    if (!element) return
    track.attach(element)
    return () => {
      track.detach(element)
    }
  }, [track])
  return <audio ref={ref} autoPlay />
}
