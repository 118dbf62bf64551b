import { ChevronDown, CircleAlert, Search, X } from 'lucide-react'
import {
  type ButtonHTMLAttributes,
  type InputHTMLAttributes,
  type MouseEvent,
  type ReactNode,
  type Ref,
  useEffect,
  useId,
  useState,
} from 'react'
import { useT } from '../i18n'
import { initial, type Quality } from '../room/tiles.model'
import { hintFor } from './keys.model'

export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'disabled'> {
  look?: 'primary' | 'inverse' | 'ghost' | 'plain'
  size?: 'small' | 'large' | 'normal'
  square?: boolean
  icon?: ReactNode
  /** Words shown while it works; pressing again does nothing meanwhile. */
  pending?: string | false | undefined
  /** Why it cannot be pressed; said on focus and hover. */
  refused?: string | false | undefined
  /** Action in the key registry whose key is shown. */
  hint?: string | undefined
  ref?: Ref<HTMLButtonElement>
}

export function Button({
  look = 'plain',
  size = 'normal',
  square,
  icon,
  pending,
  refused,
  hint,
  children,
  className = '',
  onClick,
  title,
  ...rest
}: ButtonProps) {
  const late = useLate(Boolean(pending), 100)
  const key = hint && hintFor(hint)
  const press = (event: MouseEvent<HTMLButtonElement>) => {
    if (!pending && !refused) onClick?.(event)
    else event.preventDefault()
  }
  const marks = [look !== 'plain' && look, size !== 'normal' && size, square && 'square'].filter(Boolean)
  return (
    <button
      type="button"
      {...rest}
      className={`btn ${marks.join(' ')} ${className}`}
      onClick={press}
      title={refused || title}
      aria-disabled={refused ? true : undefined}
      aria-busy={pending ? true : undefined}
    >
      {late ? <span className="spin" /> : icon}
      {late && pending ? pending : children}
      {key && !late && <kbd className="kbd">{key}</kbd>}
    </button>
  )
}

/** True once `on` has been true for `ms`: what is quick needs no sign. */
export function useLate(on: boolean, ms: number): boolean {
  const [late, setLate] = useState(false)
  useEffect(() => {
    if (!on) {
      setLate(false)
      return
    }
    const timer = setTimeout(() => setLate(true), ms)
    return () => clearTimeout(timer)
  }, [on, ms])
  return on && late
}

interface FieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'size'> {
  label: string
  icon?: ReactNode
  after?: ReactNode
  problem?: string | undefined
  large?: boolean
  inputRef?: Ref<HTMLInputElement>
}

export function Field({ label, icon, after, problem, large, inputRef, ...rest }: FieldProps) {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <div className={`input${large ? ' large' : ''}${problem ? ' bad' : ''}`}>
        {icon}
        <input
          id={id}
          ref={inputRef}
          aria-invalid={problem ? true : undefined}
          aria-describedby={problem ? `${id}-problem` : undefined}
          {...rest}
        />
        {after}
      </div>
      {problem && <ProblemLine id={`${id}-problem`} text={problem} />}
    </div>
  )
}

interface ChoiceProps<T extends string> {
  label: string
  value: T
  /** Each with its words. */
  options: readonly (readonly [NoInfer<T>, string])[]
  onChange(value: NoInfer<T>): void
  problem?: string | undefined
  'data-testid'?: string
}

/** One of several, by the list that the system shows. */
export function Choice<T extends string>({ label, value, options, onChange, problem, ...rest }: ChoiceProps<T>) {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <span className="select-box">
        <select
          {...rest}
          id={id}
          className="select"
          value={value}
          onChange={event => onChange(event.target.value as T)}
          aria-invalid={problem ? true : undefined}
          aria-describedby={problem ? `${id}-problem` : undefined}
        >
          {options.map(([key, words]) => (
            <option key={key} value={key}>
              {words}
            </option>
          ))}
        </select>
        <ChevronDown size={16} />
      </span>
      {problem && <ProblemLine id={`${id}-problem`} text={problem} />}
    </div>
  )
}

export function ProblemLine({ text, id }: { text: string; id?: string }) {
  return (
    <p className="problem" id={id} role="alert">
      <CircleAlert size={14} /> {text}
    </p>
  )
}

interface SearchFieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'size' | 'onChange'> {
  label: string
  value: string
  onChange(value: string): void
  hint?: string
  after?: ReactNode
  large?: boolean
  inputRef?: Ref<HTMLInputElement>
}

export function SearchField({ label, value, onChange, hint, after, large, inputRef, ...rest }: SearchFieldProps) {
  const t = useT()
  const key = hint && hintFor(hint)
  return (
    <div className={`input${large ? ' large' : ''}`}>
      <Search size={16} aria-hidden />
      <input
        ref={inputRef}
        type="text"
        role="searchbox"
        aria-label={label}
        placeholder={label}
        autoComplete="off"
        spellCheck={false}
        value={value}
        onChange={event => onChange(event.target.value)}
        {...rest}
      />
      {after}
      {value ? (
        <button type="button" className="clear" aria-label={t('common.close')} onClick={() => onChange('')}>
          <X size={14} />
        </button>
      ) : (
        key && <kbd className="kbd">{key}</kbd>
      )}
    </div>
  )
}

export function Check({
  checked,
  onChange,
  children,
  ...rest
}: {
  checked: boolean
  onChange(on: boolean): void
  children: ReactNode
  'data-testid'?: string
}) {
  return (
    <label className="check">
      <input type="checkbox" checked={checked} onChange={event => onChange(event.target.checked)} {...rest} />
      <span>{children}</span>
    </label>
  )
}

export function Avatar({ name, small }: { name: string; small?: boolean }) {
  return (
    <span className={`avatar${small ? ' small' : ''}`} aria-hidden>
      {initial(name)}
    </span>
  )
}

const strength: Record<Quality, number> = { excellent: 4, good: 3, poor: 1, lost: 0, unknown: 0 }

/** Connection as four bars; the word for it is there for who cannot see them. */
export function Bars({ quality, camera }: { quality: Quality; camera?: boolean }) {
  const t = useT()
  const word = t(camera ? `source.${quality}` : `quality.${quality}`)
  return (
    <span className="bars" role="img" aria-label={word} title={word}>
      {[1, 2, 3, 4].map(n => (
        <i key={n} className={n <= strength[quality] ? 'on' : ''} />
      ))}
    </span>
  )
}

export function RecordingChip({ text, ...rest }: { text: string; 'data-testid'?: string }) {
  return (
    <span className="recording" {...rest}>
      <span className="ringdot" />
      {text}
    </span>
  )
}

/** Grey bars where lines will be; nothing at all in the first 300 ms. */
export function Skeleton({ lines = 3 }: { lines?: number }) {
  const t = useT()
  const widths = ['w70', 'w90', 'w50', 'w80', 'w60']
  return (
    <div className="skeleton" role="status" aria-label={t('common.loading')}>
      {Array.from({ length: lines }, (_, i) => i).map(i => (
        <div key={i} className={`bone ${widths[i % widths.length]}`} />
      ))}
    </div>
  )
}

export function Empty({ icon, text, children }: { icon?: ReactNode; text: string; children?: ReactNode }) {
  return (
    <div className="empty">
      {icon}
      <span className="grow">{text}</span>
      {children}
    </div>
  )
}

/** `text` with every occurrence of `q` marked. */
export function Marked({ text, q }: { text: string; q: string }) {
  const wanted = q.trim().toLowerCase()
  if (!wanted) return text
  const parts: ReactNode[] = []
  const low = text.toLowerCase()
  let from = 0
  for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), <mark key={at}>{text.slice(at, at + wanted.length)}</mark>)
    from = at + wanted.length
  }
  return [...parts, text.slice(from)]
}
