import { type KeyboardEvent as Stroke, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { type Key, useT } from '../i18n'
import { Check } from './controls'
import { type Binding, bindings, type Focus, findBinding, keyCap, type Scope, strokeName } from './keys.model'
import { Dialog } from './overlay'

type Action = (typeof bindings)[number]['action']
export type Handlers = Partial<Record<Action, (down: boolean) => void>>

interface Open {
  scope: Scope
  handlers: { current: Handlers }
}

/** Arrows go from row to row of a list. */
export function toNextRow(event: Stroke<HTMLElement>): void {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
  if (!step) return
  const all = [...event.currentTarget.querySelectorAll<HTMLElement>('.row')]
  all[all.findIndex(row => row.contains(event.target as Node)) + step]?.focus()
  event.preventDefault()
}

const stored = 'commhub.singleKeys'
let singleKeys = localStorage.getItem(stored) !== 'off'
const open: Open[] = []
/** Actions whose key is down, by its code, and whose they are. */
const held = new Map<string, { of: Open; up(): void }>()

function focusOf(target: EventTarget | null): Focus {
  if (!(target instanceof HTMLElement)) return 'other'
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement)
    return 'text'
  if (target instanceof HTMLInputElement)
    return ['range', 'checkbox', 'radio', 'button'].includes(target.type)
      ? target.type === 'range'
        ? 'other'
        : 'button'
      : 'text'
  return target.closest('button, a, [role="menuitem"], [role="option"]') ? 'button' : 'other'
}

function down(event: KeyboardEvent): void {
  if (event.isComposing || event.defaultPrevented) return
  const modal = document.querySelector('dialog[open]') !== null
  // A dialog does not stand in the way of a ring, or of an emergency.
  const usable = modal ? open.filter(o => o.scope === 'ring' || o.scope === 'groups') : open
  const scopes = usable.map(o => o.scope)
  const binding = findBinding(scopes, strokeName(event), focusOf(event.target), singleKeys)
  if (!binding) return
  const action = binding.action as Action
  // Several parts of a page share a scope, each with its own actions.
  const of = usable.findLast(o => o.scope === binding.scope && o.handlers.current[action])
  const handler = of?.handlers.current[action]
  if (!of || !handler) return
  event.preventDefault()
  if (binding.hold) {
    if (held.has(event.code)) return
    held.set(event.code, { of, up: () => of.handlers.current[action]?.(false) })
  } else if (event.repeat && !binding.strokes.some(s => s.startsWith('Arrow') || s === 'Comma' || s === 'Period'))
    return
  handler(true)
}

function letGo(which: { code?: string; of?: Open } = {}): void {
  for (const [code, one] of held)
    if ((which.code ?? code) === code && (which.of ?? one.of) === one.of) {
      held.delete(code)
      one.up()
    }
}

let listening = false

function listen(): void {
  if (listening) return
  listening = true
  window.addEventListener('keydown', down)
  window.addEventListener('keyup', event => letGo({ code: event.code }))
  window.addEventListener('blur', () => letGo())
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) letGo()
  })
}

/** While the component is there, the keys of `scope` call `handlers`. */
export function useKeys(scope: Scope, handlers: Handlers, active = true): void {
  const current = useRef(handlers)
  useLayoutEffect(() => {
    current.current = handlers
  })
  useEffect(() => {
    if (!active) return
    listen()
    const mine = { scope, handlers: current }
    open.push(mine)
    return () => {
      // Keys of other parts stay down: who talks is not cut short because a card closes.
      open.splice(open.indexOf(mine), 1)
      letGo({ of: mine })
    }
  }, [scope, active])
}

/** Rows of the help table that stand for several actions. */
const rows: Record<string, [Key, ...string[]]> = {
  tileLeft: ['keys.tileMove', 'tileLeft', 'tileRight', 'tileUp', 'tileDown'],
  back5: ['keys.step5', 'back5', 'forward5'],
  back10: ['keys.step10', 'back10', 'forward10'],
  frameBack: ['keys.frame', 'frameBack', 'frameForward'],
  eventBack: ['keys.events', 'eventBack', 'eventForward'],
  slower: ['keys.speed', 'slower', 'faster'],
  wallLeft: ['keys.wallMove', 'wallLeft', 'wallRight', 'wallUp', 'wallDown'],
  moveLeft: ['keys.move', 'moveLeft', 'moveRight', 'moveUp', 'moveDown'],
  zoomIn: ['keys.zoom', 'zoomIn', 'zoomOut'],
  nextHit: ['keys.hits', 'nextHit', 'previousHit'],
  start: ['keys.ends', 'start', 'end'],
  playerSearch: ['keys.search', 'playerSearch'],
  rangeStart: ['keys.range', 'rangeStart', 'rangeEnd', 'rangeClear'],
  axisIn: ['keys.axis', 'axisIn', 'axisOut'],
}

function rowsOf(scope: Scope): { key: Key; caps: string[] }[] {
  const own = (bindings as readonly Binding[]).filter(binding => binding.scope === scope)
  const grouped = new Set(Object.values(rows).flatMap(([, ...actions]) => actions))
  const made = own.flatMap(binding => {
    const group = rows[binding.action]
    if (group) {
      const [key, ...actions] = group
      const strokes = own.filter(b => actions.includes(b.action)).map(b => b.strokes[0] ?? '')
      return [{ key, caps: strokes.map(keyCap) }]
    }
    if (grouped.has(binding.action) || /\d$/.test(binding.action)) return []
    return [{ key: `keys.${binding.action}` as Key, caps: binding.strokes.map(keyCap) }]
  })
  if (scope === 'floor') made.push({ key: 'keys.groupDigits', caps: ['1–9'] })
  if (scope === 'room') made.push({ key: 'keys.tileMain', caps: ['Enter'] }, { key: 'keys.esc', caps: ['Esc'] })
  if (scope === 'cameras') made.push({ key: 'keys.presets', caps: ['Alt 1–9'] })
  if (scope === 'player') made.push({ key: 'keys.solo', caps: ['1–9'] }, { key: 'keys.muteTrack', caps: ['Shift 1–9'] })
  return made
}

export function KeyHelp({ onClose }: { onClose(): void }) {
  const t = useT()
  const [single, setSingle] = useState(singleKeys)
  const [here] = useState(() => new Set(open.map(o => o.scope)))
  const elsewhere = [...new Set((bindings as readonly Binding[]).map(b => b.scope))].filter(scope => !here.has(scope))
  return (
    <Dialog title={t('keys.title')} onClose={onClose} className="wide">
      <div className="key-table">
        {[...here].map(scope => (
          <KeyGroup key={scope} scope={scope} />
        ))}
        {elsewhere.length > 0 && <h2>{t('keys.elsewhere')}</h2>}
        {elsewhere.map(scope => (
          <KeyGroup key={scope} scope={scope} />
        ))}
      </div>
      <Check
        checked={single}
        onChange={on => {
          singleKeys = on
          localStorage.setItem(stored, on ? 'on' : 'off')
          setSingle(on)
        }}
      >
        {t('keys.single')}
      </Check>
    </Dialog>
  )
}

function KeyGroup({ scope }: { scope: Scope }) {
  const t = useT()
  return (
    <>
      <h3>{t(`keys.${scope}`)}</h3>
      {rowsOf(scope).map(row => (
        <div key={row.key}>
          <span>{t(row.key)}</span>
          <span>
            {row.caps.map(cap => (
              <kbd className="kbd" key={cap}>
                {cap}
              </kbd>
            ))}
          </span>
        </div>
      ))}
    </>
  )
}
