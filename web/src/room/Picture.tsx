import type { Track } from 'livekit-client'
import { type RefObject, useEffect, useRef, useState } from 'react'

interface Props {
  track: Track
  fit: 'cover' | 'contain'
  mirrored?: boolean
  /** The source is gone: the last frame that was kept is shown. */
  stale?: boolean
  /** ms without a frame until it is told. */
  patience?: number
  /** The first frame is there. */
  onFrame?(): void
  /** Tells since when (our clock, ms) no frame has come; undefined while they come. */
  onFrozen?(since: number | undefined): void
}

/** A video element the track is attached to. The library watches its size and asks for the layer that fits. */
export function Picture({ track, fit, mirrored, stale = false, patience = 5000, onFrame, onFrozen }: Props) {
  const [element, setElement] = useState<HTMLVideoElement | null>(null)
  useEffect(() => {
    if (!element) return
    track.attach(element)
    return () => {
      track.detach(element)
    }
  }, [track, element])
  const last = useRef<HTMLCanvasElement>(null)
  useFrozen(element, onFrozen, patience)
  useLastFrame(element, last, onFrozen !== undefined && !stale)
  return (
    <>
      <video
        ref={setElement}
        className={`${fit}${mirrored ? ' mirrored' : ''}`}
        onLoadedData={onFrame}
        autoPlay
        playsInline
        muted
      />
      <canvas ref={last} className={fit} hidden={!stale} />
    </>
  )
}

/** Keeps a small copy of the picture: when the connection goes, the source goes with it and the element turns black. */
function useLastFrame(
  element: HTMLVideoElement | null,
  canvas: RefObject<HTMLCanvasElement | null>,
  on: boolean,
): void {
  useEffect(() => {
    if (!element || !on) return
    const timer = setInterval(() => {
      const copy = canvas.current
      if (!copy || document.hidden || !element.videoWidth || element.readyState < 2) return
      copy.width = Math.min(640, element.videoWidth)
      copy.height = Math.round((copy.width * element.videoHeight) / element.videoWidth)
      copy.getContext('2d')?.drawImage(element, 0, 0, copy.width, copy.height)
    }, 2000)
    return () => clearInterval(timer)
  }, [element, canvas, on])
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
