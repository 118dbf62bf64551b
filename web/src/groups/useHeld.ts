import { useEffect, useRef, useState } from 'react'

/** What is done only after the key or the button was down for `ms`: letting go before that does nothing. */
export function useHeld(ms: number, act: () => void): { held: boolean; turn(down: boolean): void } {
  const [held, setHeld] = useState(false)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const last = useRef(act)
  last.current = act
  useEffect(() => () => clearTimeout(timer.current), [])
  const turn = (down: boolean) => {
    clearTimeout(timer.current)
    setHeld(down)
    if (!down) return
    timer.current = setTimeout(() => {
      setHeld(false)
      last.current()
    }, ms)
  }
  return { held, turn }
}
