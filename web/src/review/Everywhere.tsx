import { sentence, useSettled } from '../app/command'
import { Link } from '../app/router'
import { useT } from '../i18n'
import { Button, Empty, ProblemLine, Skeleton, useLate } from '../ui/controls'
import { clockTime, dateTime } from '../ui/time.model'
import { useFound } from './facts'
import type { Found } from './shapes.model'

interface Props {
  q: string
  /** The one that is open: a hit in it jumps, one in another opens that. */
  recording?: string
  onSeek?(at: number): void
}

/** Words in all recordings. */
export function Everywhere({ q, recording, onSeek }: Props) {
  const t = useT()
  const found = useFound(useSettled(q, 250))
  const slow = useLate(found.isPending, 300)
  const items = found.data?.pages.flatMap(page => page.items) ?? []
  const behind = found.data?.pages.at(-1)?.behind ?? 0
  if (found.error) return <ProblemLine text={sentence(found.error)} />
  if (found.isPending) return slow ? <Skeleton lines={4} /> : null
  return (
    <ol className="found" aria-label={t('player.found')} data-testid="player-found">
      {items.length === 0 && (
        <li className="side-empty">
          <Empty text={t('common.nothingFound', { q })} />
        </li>
      )}
      {items.map(one => (
        <li key={`${one.recording_id} ${one.at_ms} ${one.type} ${one.who} ${one.snippet}`}>
          <FoundLine found={one} here={one.recording_id === recording} onSeek={onSeek} />
        </li>
      ))}
      {behind > 0 && <li className="note">{t('player.foundBehind', { count: behind })}</li>}
      {found.hasNextPage && (
        <li>
          <Button onClick={() => void found.fetchNextPage()} pending={found.isFetchingNextPage && t('common.loading')}>
            {t('common.moreItems')}
          </Button>
        </li>
      )}
    </ol>
  )
}

function FoundLine({ found, here, onSeek }: { found: Found; here: boolean; onSeek: Props['onSeek'] }) {
  const t = useT()
  const at = Date.parse(found.started_at) + found.at_ms
  const inside = (
    <>
      <span className="grow">
        {found.who && <strong>{found.who}</strong>}
        <span>
          <Snippet found={found} />
        </span>
        {!here && (
          <small className="note cut">
            {found.title} · {found.code}
          </small>
        )}
      </span>
      <time className="note">{here ? clockTime(at) : dateTime(at).slice(5)}</time>
    </>
  )
  if (here && onSeek)
    return (
      <button type="button" className="said" onClick={() => onSeek(found.at_ms)} data-testid="player-found-line">
        {inside}
      </button>
    )
  return (
    <Link
      className="said"
      href={`/review/${found.recording_id}?at=${found.at_ms}`}
      title={t('player.openFound')}
      data-testid="player-found-line"
    >
      {inside}
    </Link>
  )
}

function Snippet({ found }: { found: Found }) {
  const letters = [...found.snippet]
  const parts: React.ReactNode[] = []
  let at = 0
  for (const [start, end] of found.hits) {
    if (start < at) continue
    parts.push(letters.slice(at, start).join(''), <mark key={start}>{letters.slice(start, end).join('')}</mark>)
    at = end
  }
  parts.push(letters.slice(at).join(''))
  return <>{parts}</>
}
