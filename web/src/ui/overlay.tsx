import { X } from 'lucide-react'
import {
  type KeyboardEvent,
  type ReactNode,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react'
import { useT } from '../i18n'
import { Button, type ButtonProps } from './controls'

interface DialogProps {
  title: string
  note?: string
  onClose(): void
  children: ReactNode
  footer?: ReactNode
  className?: string
  'data-testid'?: string
}

/** A modal dialog of the browser: it keeps the focus inside, Esc closes it, the focus returns to where it came from. */
export function Dialog({ title, note, onClose, children, footer, className = '', ...rest }: DialogProps) {
  const t = useT()
  const ref = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    const dialog = ref.current
    const origin = document.activeElement
    if (dialog && !dialog.open) {
      dialog.showModal()
      // The browser takes the first button; the dialog says which field or button it is for.
      dialog.querySelector<HTMLElement>('[data-focus]')?.focus()
    }
    return () => {
      dialog?.close()
      if (origin instanceof HTMLElement && origin.isConnected) origin.focus({ preventScroll: true })
    }
  }, [])
  return (
    <dialog
      {...rest}
      ref={ref}
      className={`dialog ${className}`}
      aria-label={title}
      onCancel={event => {
        event.preventDefault()
        onClose()
      }}
    >
      <header>
        <h2>{title}</h2>
        {note && <span className="note grow">{note}</span>}
        {!note && <span className="grow" />}
        <Button
          look="ghost"
          size="small"
          square
          icon={<X size={18} />}
          aria-label={t('common.close')}
          onClick={onClose}
        />
      </header>
      <div className="body">{children}</div>
      {footer && <footer>{footer}</footer>}
    </dialog>
  )
}

interface ActDialogProps extends Omit<DialogProps, 'footer'> {
  /** The primary button: what it says, what it says meanwhile, why it cannot be pressed. */
  act: string
  pending: string | false
  refused?: string | false | undefined
  onAct(): void
  'data-act': string
  /** Beside the two buttons. */
  also?: ReactNode
}

/** A dialog that asks for something and then does it: cancel, and one primary button. */
export function ActDialog({ act, pending, refused, onAct, also, 'data-act': id, ...dialog }: ActDialogProps) {
  const t = useT()
  return (
    <Dialog
      {...dialog}
      footer={
        <>
          {also}
          <Button onClick={dialog.onClose}>{t('common.cancel')}</Button>
          <Button look="primary" pending={pending} refused={refused} onClick={onAct} data-testid={id}>
            {act}
          </Button>
        </>
      }
    />
  )
}

interface ConfirmProps {
  title: string
  body: string
  act: string
  pending?: string | false
  onConfirm(): void
  onClose(): void
}

/** For what cannot be undone: the focus is on cancel, the other button names the act. */
export function Confirm({ title, body, act, pending, onConfirm, onClose }: ConfirmProps) {
  const t = useT()
  return (
    <Dialog
      title={title}
      onClose={onClose}
      footer={
        <>
          <Button data-focus onClick={onClose}>
            {t('common.cancel')}
          </Button>
          <Button look="inverse" pending={pending} onClick={onConfirm} data-testid="confirm">
            {act}
          </Button>
        </>
      }
    >
      <p className="confirm-body">{body}</p>
    </Dialog>
  )
}

export interface MenuItem {
  key: string
  label: string
  icon?: ReactNode
  onPick(): void
  testid?: string
}

interface MenuButtonProps extends Omit<ButtonProps, 'onClick'> {
  items: (MenuItem | 'line')[]
  /** Which corner the menu hangs from. */
  place?: 'above' | 'below' | 'below-end' | 'above-end'
}

/** A button with a menu: arrows move in it, Esc and leaving it close it. */
export function MenuButton({ items, place = 'below', ...button }: MenuButtonProps) {
  const [open, setOpen] = useState(false)
  const anchor = useRef<HTMLSpanElement>(null)
  const close = useCallback(() => setOpen(false), [])
  useOutside(anchor, open, close)
  useEffect(() => {
    if (open) anchor.current?.querySelector<HTMLElement>('.menu button')?.focus()
  }, [open])
  const keys = (event: KeyboardEvent) => {
    const all = [...(anchor.current?.querySelectorAll<HTMLElement>('.menu button') ?? [])]
    const at = all.indexOf(document.activeElement as HTMLElement)
    if (event.key === 'Escape' && open) {
      setOpen(false)
      anchor.current?.querySelector<HTMLElement>('button')?.focus()
    } else if (event.key === 'ArrowDown') all[(at + 1) % all.length]?.focus()
    else if (event.key === 'ArrowUp') all[(at - 1 + all.length) % all.length]?.focus()
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  return (
    <span className="anchor" ref={anchor} onKeyDown={open ? keys : undefined} role="presentation">
      <Button {...button} aria-haspopup="menu" aria-expanded={open} onClick={() => setOpen(!open)} />
      {open && (
        <div className={`menu ${place}`} role="menu">
          {items.map((item, i) =>
            item === 'line' ? (
              // biome-ignore lint/suspicious/noArrayIndexKey: lines have no identity
              <hr key={`line-${i}`} />
            ) : (
              <button
                type="button"
                role="menuitem"
                key={item.key}
                data-testid={item.testid}
                onClick={() => {
                  setOpen(false)
                  item.onPick()
                }}
              >
                {item.icon}
                {item.label}
              </button>
            ),
          )}
        </div>
      )}
    </span>
  )
}

interface PopoverProps {
  open: boolean
  onOpen(open: boolean): void
  /** The button, and while it is open what hangs from it. */
  children: ReactNode
}

/** What hangs from a button: Esc and a press elsewhere close it. */
export function Popover({ open, onOpen, children }: PopoverProps) {
  const anchor = useRef<HTMLSpanElement>(null)
  const close = useCallback(() => onOpen(false), [onOpen])
  useOutside(anchor, open, close)
  return (
    <span
      className="anchor"
      ref={anchor}
      role="presentation"
      onKeyDown={event => {
        if (event.key === 'Escape') onOpen(false)
      }}
    >
      {children}
    </span>
  )
}

function useOutside(ref: { current: HTMLElement | null }, on: boolean, leave: () => void): void {
  useEffect(() => {
    if (!on) return
    const press = (event: PointerEvent) => {
      if (!ref.current?.contains(event.target as Node)) leave()
    }
    document.addEventListener('pointerdown', press)
    return () => document.removeEventListener('pointerdown', press)
  }, [ref, on, leave])
}

interface Toast {
  id: number
  text: string
  bad: boolean
}

let toasts: Toast[] = []
let counter = 0
const listeners = new Set<() => void>()

function change(next: Toast[]): void {
  toasts = next
  for (const listener of listeners) listener()
}

/** One sentence at the bottom; a failure stays longer and stands out. */
export function say(text: string, bad = false): void {
  counter += 1
  const toast = { id: counter, text, bad }
  change([...toasts.slice(-2), toast])
  setTimeout(() => change(toasts.filter(other => other !== toast)), bad ? 9000 : 4000)
}

export function Toasts() {
  const shown = useSyncExternalStore(
    listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => toasts,
  )
  return (
    <div className="toasts" aria-live="polite">
      {shown.map(toast => (
        <div key={toast.id} className={`toast${toast.bad ? ' bad' : ''}`}>
          {toast.text}
        </div>
      ))}
    </div>
  )
}
