import { ArrowLeft } from 'lucide-react'
import { navigate } from '../app/router'
import type { RecordingDetail } from '../hub/types'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { dateTime, shortTime } from '../ui/time.model'
import type { PlayerEngine } from './engine'
import { headPieces } from './headPieces'
import { RecordingState } from './RecordingList'
import type { Range } from './Timeline'

/** What is played: title, when, how many; what keeps it and takes it out. */
export function PlayerHead({
  recording,
  engine,
  range,
}: {
  recording: RecordingDetail
  engine: PlayerEngine
  range: Range | undefined
}) {
  const t = useT()
  const began = Date.parse(recording.started_at)
  const end = recording.ended_at ? shortTime(Date.parse(recording.ended_at)) : ''
  const parties = new Set(recording.tracks.map(track => track.identity)).size
  return (
    <header className="player-head">
      <Button
        look="ghost"
        size="small"
        square
        icon={<ArrowLeft size={18} />}
        aria-label={t('review.backToList')}
        onClick={() => navigate('/review')}
      />
      <h1 className="cut">{recording.title}</h1>
      <span className="note cut">
        {dateTime(began)}
        {end && ` – ${end}`} · {t('review.parties', { count: parties })} ·{' '}
        {t('review.tracks', { count: recording.tracks.length || recording.track_count })} · {recording.code}
      </span>
      <span className="grow" />
      {headPieces.map(Piece => (
        <Piece
          key={Piece.displayName ?? Piece.name}
          recording={recording}
          position={() => engine.snapshot().position}
          range={range}
          seek={at => engine.seek(at)}
        />
      ))}
      <RecordingState recording={recording} />
      <span className="chip">{t(`label.${recording.label}`)}</span>
    </header>
  )
}
