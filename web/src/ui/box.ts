import { useCallback, useRef, useState } from 'react'

export interface Box {
  width: number
  height: number
}

/** The size of an element's inside, px, and the ref that says which element. */
export function useBox(): [(element: HTMLElement | null) => void, Box] {
  const [box, setBox] = useState<Box>({ width: 0, height: 0 })
  const observer = useRef<ResizeObserver>(undefined)
  const ref = useCallback((element: HTMLElement | null) => {
    observer.current?.disconnect()
    if (!element) return
    observer.current = new ResizeObserver(entries => {
      const inside = entries.at(-1)?.contentRect
      if (inside) setBox({ width: inside.width, height: inside.height })
    })
    observer.current.observe(element)
  }, [])
  return [ref, box]
}
