/** The one registry of keys: from it come the handlers, the hints on buttons and the table of help. */

export type Scope =
  | 'everywhere'
  | 'consultations'
  | 'ring'
  | 'call'
  | 'dispatch'
  | 'groups'
  | 'floor'
  | 'directory'
  | 'room'
  | 'roll'
  | 'player'
  | 'cameras'

export interface Binding {
  action: string
  scope: Scope
  /** `KeyboardEvent.code` with its modifiers before it: `Alt+ArrowLeft`. Codes, so that an input method in Chinese mode changes nothing. */
  strokes: readonly string[]
  /** Also while somebody types. */
  always?: boolean
  /** Goes on while the key is down; `up` follows when it is let go or the window loses focus. */
  hold?: boolean
}

const bind = (scope: Scope, action: string, ...strokes: string[]): Binding => ({ action, scope, strokes })
const hold = (scope: Scope, action: string, ...strokes: string[]): Binding => ({
  ...bind(scope, action, ...strokes),
  hold: true,
})
const digits = [1, 2, 3, 4, 5, 6, 7, 8, 9]

export const bindings = [
  bind('everywhere', 'help', 'Shift+Slash'),
  { ...bind('everywhere', 'quickSearch', 'Ctrl+KeyK'), always: true },
  { ...bind('ring', 'ringAccept', 'F1'), always: true },
  { ...bind('ring', 'ringDecline', 'Shift+F1'), always: true },
  bind('call', 'callMute', 'KeyM'),
  bind('call', 'callCamera', 'Shift+KeyV'),
  bind('call', 'callPictures', 'Shift+KeyG'),
  { ...bind('call', 'callHold', 'F2'), always: true },
  { ...bind('call', 'callTransfer', 'F3'), always: true },
  { ...bind('call', 'callHangUp', 'F4'), always: true },
  hold('dispatch', 'whisper', 'KeyW'),
  bind('groups', 'groupPanel', 'Alt+KeyG'),
  hold('groups', 'groupTalkAny', 'Backquote'),
  { ...hold('groups', 'groupEmergency', 'F9'), always: true },
  hold('floor', 'groupTalk', 'Space'),
  ...digits.map(n => bind('floor', `group${n}`, `Digit${n}`)),
  bind('directory', 'bookSearch', 'Slash'),
  bind('directory', 'bookCall', 'KeyC'),
  bind('directory', 'bookVideo', 'KeyV'),
  bind('directory', 'bookChoose', 'KeyX'),
  bind('consultations', 'search', 'Slash'),
  bind('room', 'mic', 'KeyM'),
  bind('room', 'camera', 'KeyV'),
  hold('room', 'talk', 'Space'),
  bind('room', 'screen', 'KeyS'),
  bind('room', 'bringCamera', 'KeyC'),
  bind('room', 'view', 'KeyG'),
  bind('room', 'members', 'KeyP'),
  bind('room', 'chat', 'KeyT'),
  bind('room', 'diagnosis', 'KeyD'),
  bind('room', 'hand', 'KeyH'),
  bind('room', 'control', 'KeyO'),
  bind('room', 'muteAll', 'Shift+KeyM'),
  bind('room', 'nextHand', 'Shift+KeyH'),
  bind('room', 'admitAll', 'Shift+KeyA'),
  bind('room', 'tileLeft', 'Alt+ArrowLeft'),
  bind('room', 'tileRight', 'Alt+ArrowRight'),
  bind('room', 'tileUp', 'Alt+ArrowUp'),
  bind('room', 'tileDown', 'Alt+ArrowDown'),
  { ...bind('room', 'leave', 'F4'), always: true },
  bind('roll', 'rollNext', 'KeyN'),
  bind('roll', 'rollSkip', 'KeyK'),
  bind('roll', 'rollRepeat', 'KeyR'),
  bind('roll', 'rollBack', 'KeyB'),
  bind('roll', 'rollEnd', 'KeyE'),
  bind('roll', 'rollAnswer', 'KeyY'),
  bind('cameras', 'cameraSearch', 'Slash'),
  bind('cameras', 'wallLeft', 'Alt+ArrowLeft'),
  bind('cameras', 'wallRight', 'Alt+ArrowRight'),
  bind('cameras', 'wallUp', 'Alt+ArrowUp'),
  bind('cameras', 'wallDown', 'Alt+ArrowDown'),
  bind('cameras', 'wallClose', 'Delete'),
  hold('cameras', 'moveLeft', 'ArrowLeft'),
  hold('cameras', 'moveRight', 'ArrowRight'),
  hold('cameras', 'moveUp', 'ArrowUp'),
  hold('cameras', 'moveDown', 'ArrowDown'),
  hold('cameras', 'zoomIn', 'Equal', 'Shift+Equal', 'NumpadAdd'),
  hold('cameras', 'zoomOut', 'Minus', 'NumpadSubtract'),
  bind('cameras', 'cameraHome', 'Home'),
  ...digits.map(n => bind('cameras', `preset${n}`, `Alt+Digit${n}`)),
  bind('player', 'play', 'Space', 'KeyK'),
  bind('player', 'back5', 'ArrowLeft'),
  bind('player', 'forward5', 'ArrowRight'),
  bind('player', 'back10', 'KeyJ'),
  bind('player', 'forward10', 'KeyL'),
  bind('player', 'frameBack', 'Comma'),
  bind('player', 'frameForward', 'Period'),
  bind('player', 'eventBack', 'ArrowUp'),
  bind('player', 'eventForward', 'ArrowDown'),
  bind('player', 'slower', 'BracketLeft'),
  bind('player', 'faster', 'BracketRight'),
  bind('player', 'nextHit', 'KeyN'),
  bind('player', 'previousHit', 'Shift+KeyN'),
  bind('player', 'start', 'Home'),
  bind('player', 'end', 'End'),
  bind('player', 'fullScreen', 'KeyF'),
  bind('player', 'playerSearch', 'Slash'),
  bind('player', 'mark', 'KeyM'),
  bind('player', 'comment', 'KeyB'),
  bind('player', 'compare', 'KeyX'),
  bind('player', 'flip', 'KeyY'),
  bind('player', 'besideEach', 'Shift+KeyY'),
  bind('player', 'playerLayout', 'KeyG'),
  bind('player', 'goLive', 'KeyE'),
  bind('player', 'takeOut', 'Shift+KeyE'),
  bind('player', 'rangeStart', 'KeyI'),
  bind('player', 'rangeEnd', 'KeyO'),
  bind('player', 'rangeClear', 'Shift+KeyI'),
  bind('player', 'axisIn', 'Equal', 'Shift+Equal', 'NumpadAdd'),
  bind('player', 'axisOut', 'Minus', 'NumpadSubtract'),
  bind('player', 'soundOff', 'Shift+KeyM'),
  ...digits.map(n => bind('player', `solo${n}`, `Digit${n}`)),
  ...digits.map(n => bind('player', `muteTrack${n}`, `Shift+Digit${n}`)),
] as const satisfies readonly Binding[]

export interface Stroke {
  code: string
  altKey: boolean
  ctrlKey: boolean
  metaKey: boolean
  shiftKey: boolean
}

export function strokeName(stroke: Stroke): string {
  const held = [
    stroke.ctrlKey && 'Ctrl+',
    stroke.metaKey && 'Meta+',
    stroke.altKey && 'Alt+',
    stroke.shiftKey && 'Shift+',
  ]
  return held.filter(Boolean).join('') + stroke.code
}

/** What has the focus: keys that write belong to a text field, Space and Enter to a button. */
export type Focus = 'text' | 'button' | 'other'

/** The binding a stroke means; of several scopes the last opened wins. `single` false switches bare letters off. */
export function findBinding(
  scopes: readonly Scope[],
  stroke: string,
  focus: Focus,
  single = true,
): Binding | undefined {
  const bare = /^(Key|Digit|Space|Slash|Backquote|Comma|Period|Bracket|Equal|Minus)/.test(stroke)
  const all: readonly Binding[] = bindings
  for (const scope of scopes.toReversed()) {
    const found = all.find(binding => binding.scope === scope && binding.strokes.includes(stroke))
    if (!found) continue
    if (found.always) return found
    if (focus === 'text') continue
    if (focus === 'button' && (stroke === 'Space' || stroke === 'Enter')) continue
    if (bare && !single) continue
    return found
  }
  return undefined
}

const names: Record<string, string> = {
  Slash: '/',
  Comma: ',',
  Period: '.',
  BracketLeft: '[',
  BracketRight: ']',
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
  Space: 'Space',
  Backquote: '`',
  Equal: '+',
  Minus: '−',
  'Shift+Slash': '?',
}

/** How a stroke is written on a key cap. */
export function keyCap(stroke: string): string {
  if (names[stroke]) return names[stroke]
  const parts = stroke.split('+')
  const code = parts.pop() ?? ''
  const cap = names[code] ?? code.replace(/^(Key|Digit)/, '')
  return [...parts, cap].join(' ')
}

/** The hint for an action: its first key. */
export function hintFor(action: string): string | undefined {
  const all: readonly Binding[] = bindings
  const stroke = all.find(binding => binding.action === action)?.strokes[0]
  return stroke && keyCap(stroke)
}
