import type { ReactNode } from 'react'
import { createPortal } from 'react-dom'
import { Button } from './controls'
import { type Handlers, useKeys } from './keys'
import './ring.css'

interface Props {
  /** What rings, in a word. */
  label: string
  icon: ReactNode
  /** At the end of the first line. */
  beside?: ReactNode
  /** Who, or what about. */
  title: string
  children: ReactNode
  accept: string
  accepting?: string | false
  onAccept(): void
  'data-accept': string
  /** What its keys do besides. */
  keys?: Handlers
  /** Behind the button that accepts. */
  buttons?: ReactNode
  className?: string
  'data-testid': string
}

/** Somebody wants something now, wherever in the client one is: one press answers. */
export function RingCard({
  label,
  icon,
  beside,
  title,
  children,
  accept,
  accepting,
  onAccept,
  'data-accept': id,
  keys,
  buttons,
  className = '',
  ...rest
}: Props) {
  useKeys('ring', { ...keys, ringAccept: onAccept })
  // A modal dialog makes everything outside it dead: the card has to be inside.
  const host = document.querySelector('dialog[open]') ?? document.body
  return createPortal(
    <section {...rest} className={`ring-card ${className}`} role="alertdialog" aria-label={label} aria-live="assertive">
      <header>
        {icon}
        <span className="grow">{label}</span>
        {beside}
      </header>
      <h2>{title}</h2>
      {children}
      <div className="ring-buttons">
        <Button
          look="primary"
          size="large"
          className="grow"
          hint="ringAccept"
          pending={accepting}
          onClick={onAccept}
          data-testid={id}
        >
          {accept}
        </Button>
        {buttons}
      </div>
    </section>,
    host,
  )
}
