import { Ear, PhoneForwarded, PhoneOff, Replace, ShieldAlert, Speech, UserPlus } from 'lucide-react'
import { type ReactNode, useLayoutEffect, useRef, useState } from 'react'
import { useCommand } from '../app/command'
import { hub, useHub } from '../app/hub'
import { useT } from '../i18n'
import { Button, type ButtonProps, Skeleton } from '../ui/controls'
import { Popover, say } from '../ui/overlay'
import { type Aim, dispatch } from './desk'
import { type Allowed, type ForcedVerb, permissions, said, verbs } from './dispatch.model'
import { OrderDialog } from './OrderDialog'
import './dispatch.css'

const icons: Record<ForcedVerb, ReactNode> = {
  monitor: <Ear size={16} />,
  whisper: <Speech size={16} />,
  barge: <UserPlus size={16} />,
  release: <PhoneOff size={16} />,
  takeover: <Replace size={16} />,
  preempt: <PhoneForwarded size={16} />,
}

interface Props extends Pick<ButtonProps, 'look' | 'size' | 'className'> {
  /** Whom it is about. */
  target: { id: string; name: string }
  /** The line they are on, where the page knows it; else the hub finds it. */
  call?: string | undefined
  consultation?: string | undefined
  group?: string | undefined
  /** Of a group: about this member, not about all of it. */
  one?: boolean
  /** Only the icon, for rows. */
  square?: boolean
  /** `free`: not cut by the list that the button is in, below it or above, wherever there is room. */
  place?: 'above' | 'below' | 'below-end' | 'above-end' | 'free'
  onDone?(verb: ForcedVerb): void
}

/**
 * What may be forced on somebody's line: asks the hub when it is opened, then for the reason, and says who is told.
 * Nothing at all for who has none of the rights, and for oneself.
 */
export function VerbMenu(props: Props) {
  const { target: here, call, consultation, group, one: single, square, place = 'below-end', onDone, ...look } = props
  const t = useT()
  const me = useHub(state => state.session?.person.id)
  const [open, setOpen] = useState(false)
  const [known, setKnown] = useState<Allowed>()
  const [verb, setVerb] = useState<ForcedVerb>()
  // Whoever the page means may change while somebody reads and types: it is done to whom it was opened for.
  const [opened, setOpened] = useState(here)
  const target = open || verb ? opened : here
  const [run] = useCommand()
  if (me === target.id || !verbs.some(one => hub.can(permissions[one]))) return null
  const line = { ...(call && { call }), ...(consultation && { consultation }), ...(group && { group }) }
  const aim: Aim = { person: target.id, ...line }
  const toggle = () => {
    setOpen(!open)
    if (open) return
    setOpened(here)
    setKnown(undefined)
    void run(async () => setKnown(await dispatch.allowed(aim))).then(done => done || setOpen(false))
  }
  const chosen = known?.verbs.find(one => one.verb === verb)
  return (
    <Popover open={open} onOpen={setOpen}>
      <Button
        {...look}
        {...(square && { square })}
        icon={<ShieldAlert size={16} />}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-label={t('dispatch.menuFor', { name: target.name })}
        title={t('dispatch.menu')}
        onClick={toggle}
        data-testid="verb-menu"
      >
        {!square && t('dispatch.menu')}
      </Button>
      {open && (
        <Verbs
          known={known}
          place={place}
          onPick={picked => {
            setOpen(false)
            setVerb(picked)
          }}
        />
      )}
      {verb && known && chosen && (
        <OrderDialog
          verb={verb}
          target={target}
          line={known.line}
          one={single ?? false}
          allowed={chosen}
          onClose={() => setVerb(undefined)}
          onOrder={async order => {
            await dispatch.force(verb, { ...aim, ...order })
            const name = order.only || known.line?.kind !== 'group' ? target.name : known.line.title
            say(t(`dispatch.done.${said(verb, known.line?.kind, order.only)}`, { name }))
            onDone?.(verb)
          }}
        />
      )}
    </Popover>
  )
}

/** Arrows move in it; what is not possible says why. */
function Verbs({
  known,
  place,
  onPick,
}: {
  known: Allowed | undefined
  place: string
  onPick(verb: ForcedVerb): void
}) {
  const t = useT()
  const menu = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    if (place === 'free' && menu.current) putBeside(menu.current)
    if (known) menu.current?.querySelector<HTMLElement>('button:not([aria-disabled])')?.focus()
  }, [place, known])
  // What cannot be done on a line of this kind, whoever asks, is not offered.
  const shown =
    known?.verbs.filter(one => one.code !== 'line_kind' && (hub.can(permissions[one.verb]) || one.emergency)) ?? []
  const why = shown.every(one => !one.allowed) ? (shown[0] ?? known?.verbs[0])?.text : undefined
  return (
    <div
      className={`menu ${place} verb-menu`}
      role="menu"
      tabIndex={-1}
      ref={menu}
      onKeyDown={event => {
        const all = [...event.currentTarget.querySelectorAll<HTMLElement>('button')]
        const at = all.indexOf(document.activeElement as HTMLElement)
        const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
        if (step === 0) return
        all[(at + step + all.length) % all.length]?.focus()
        event.preventDefault()
        event.stopPropagation()
      }}
    >
      {!known && <Skeleton lines={3} />}
      {known?.line && <p className="note cut">{t('dispatch.onLine', { title: lineTitle(known) })}</p>}
      {shown.map(one => (
        <button
          key={one.verb}
          type="button"
          role="menuitem"
          aria-disabled={!one.allowed || undefined}
          title={one.text ?? undefined}
          onClick={() => one.allowed && onPick(one.verb)}
          data-testid={`verb-${one.verb}`}
        >
          {icons[one.verb]}
          <span>{t(`dispatch.verb.${one.verb}`)}</span>
          <small className="note">
            {one.allowed ? t(`dispatch.hint.${said(one.verb, known?.line?.kind)}`) : !why && one.text}
          </small>
        </button>
      ))}
      {why && <p className="note verb-why">{why}</p>}
    </div>
  )
}

/** In the window, whatever clips the button: under it, or over it when there is no room. */
function putBeside(menu: HTMLElement): void {
  const button = menu.parentElement?.getBoundingClientRect()
  if (!button) return
  const { width, height } = menu.getBoundingClientRect()
  const below = button.bottom + 6
  menu.style.left = `${Math.max(8, button.right - width)}px`
  menu.style.top = `${below + height <= window.innerHeight ? below : Math.max(8, button.top - 6 - height)}px`
}

function lineTitle({ line }: Allowed): string {
  return line?.title || (line?.people ?? []).map(person => person.name).join('、')
}
