import { type Key, useT } from '../i18n'

const shapes = {
  1: 'M8 1h8l7 7v8l-7 7H8l-7-7V8z',
  2: 'M12 1.5 23.5 22.5H.5z',
  3: 'M12 .5 23.5 12 12 23.5.5 12z',
  4: 'M12 1a11 11 0 1 0 0 22 11 11 0 0 0 0-22z',
} as const

/** The word for a level. */
export function levelKey(level: 1 | 2 | 3 | 4): Key {
  const name = `l${level}` as const
  return `alarms.level.${name}`
}

/** One of the four levels by shape, colour and digit; the word stands beside it or is said. */
export function Level({ level, size = 18, silent }: { level: 1 | 2 | 3 | 4; size?: number; silent?: boolean }) {
  const t = useT()
  const name = t(levelKey(level))
  return (
    <svg
      className={`level level-${level}`}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      role="img"
      aria-label={name}
      aria-hidden={silent}
    >
      <path d={shapes[level]} />
      <text x="12" y={level === 2 ? 20 : 17} textAnchor="middle" fontSize="14">
        {level}
      </text>
    </svg>
  )
}
