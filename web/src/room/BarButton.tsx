import type { ButtonHTMLAttributes, ReactNode } from 'react'
import { useLate } from '../ui/controls'
import { hintFor } from '../ui/keys.model'

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon: ReactNode
  hint?: string
  on?: boolean
  pending?: boolean
}

/** A button of the bottom bar: icon, word under it, its key in the corner. */
export function BarButton({ icon, hint, on, pending = false, className = '', children, onClick, ...rest }: Props) {
  const late = useLate(pending, 100)
  const key = hint && hintFor(hint)
  return (
    <button
      type="button"
      {...rest}
      className={`bar-button ${on ? 'on' : ''} ${className}`}
      aria-busy={pending || undefined}
      onClick={event => {
        if (!pending) onClick?.(event)
      }}
    >
      {late ? <span className="spin" /> : icon}
      <span>{children}</span>
      {key && <kbd className="kbd">{key}</kbd>}
    </button>
  )
}
