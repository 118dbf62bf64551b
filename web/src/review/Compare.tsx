import { ArrowLeftRight, Columns2, Link2, Minus, Plus, X } from 'lucide-react'
import { useEffect, useMemo, useRef, useState } from 'react'
import type { RecordingDetail } from '../hub/types'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { clockTime, longDuration } from '../ui/time.model'
import { PlayerEngine } from './engine'
import type { SpeakerLane } from './lanes.model'
import { Pictures } from './Pictures'
import type { Staged } from './stagings.model'
import { durationOf, tenthOf, useView } from './useView'

/** Which of the two alone has the room; '': both, side by side. */
export type Flip = '' | 'a' | 'b'

/** The other one; of two side by side the second, for the first is what one has looked at. */
export function flipped(now: Flip): Flip {
  return now === 'b' ? 'a' : 'b'
}

interface Props {
  recording: RecordingDetail
  leader: PlayerEngine
  /** ms from the leader's moment to this one's, when it begins. */
  offset: number
  staged: Staged
  leftOut: ReadonlySet<string>
  lanes: SpeakerLane[]
  onMain(track: string): void
  flip: Flip
  onFlip(flip: Flip): void
  onClose(): void
}

/** A second player of the same recording at another moment: it plays and stands with the first, silently. */
export function Compare({
  recording,
  leader,
  offset: begun,
  staged,
  leftOut,
  lanes,
  onMain,
  flip,
  onFlip,
  onClose,
}: Props) {
  const t = useT()
  const first = useRef(recording)
  const engine = useMemo(() => new PlayerEngine(first.current, leader), [leader])
  const offset = useRef(begun)
  const [shown, setShown] = useState(begun)
  useEffect(() => engine.start(), [engine])
  useEffect(() => engine.update(recording), [engine, recording])
  useEffect(() => engine.leaveOut(leftOut), [engine, leftOut])
  useEffect(() => leader.lead(engine, () => offset.current), [leader, engine])
  const position = useView(engine, tenthOf)
  const length = useView(engine, durationOf)
  const move = (to: number) => {
    const at = Math.min(length, Math.max(0, to))
    offset.current = at - leader.snapshot().position
    setShown(offset.current)
    engine.seek(at)
  }
  const sign = shown < 0 ? '−' : '+'
  const bar = (
    <div className="compare-bar" data-testid="player-second" data-offset={Math.round(shown)}>
      {flip && (
        <span className="chip inverse" role="status" data-testid="player-flipped" data-moment={flip}>
          {t('player.shownMoment', { moment: flip.toUpperCase() })}
        </span>
      )}
      <strong>B</strong>
      <time data-testid="player-second-time" data-ms={position}>
        {longDuration(position)}
      </time>
      <span className="note">{clockTime(Date.parse(recording.started_at) + position)}</span>
      <input
        type="range"
        min={0}
        max={Math.max(1, length)}
        value={Math.round(position)}
        aria-label={t('player.seekSecond')}
        aria-valuetext={longDuration(position)}
        onChange={event => move(Number(event.target.value))}
      />
      <Button
        look="ghost"
        size="small"
        square
        icon={<Minus size={14} />}
        aria-label={t('player.secondBack')}
        onClick={() => move(position - 5000)}
      />
      <span className="note offset" title={t('player.offset')}>
        <Link2 size={13} aria-hidden /> {sign}
        {longDuration(Math.abs(shown))}
      </span>
      <Button
        look="ghost"
        size="small"
        square
        icon={<Plus size={14} />}
        aria-label={t('player.secondForward')}
        onClick={() => move(position + 5000)}
      />
      <Button
        look="ghost"
        size="small"
        square
        icon={<ArrowLeftRight size={14} />}
        aria-label={t('player.flip')}
        title={`${t('player.flip')} Y`}
        aria-pressed={flip !== ''}
        onClick={() => onFlip(flipped(flip))}
        data-testid="player-flip"
      />
      {flip && (
        <Button
          look="ghost"
          size="small"
          square
          icon={<Columns2 size={14} />}
          aria-label={t('player.besideEach')}
          title={`${t('player.besideEach')} Shift Y`}
          onClick={() => onFlip('')}
        />
      )}
      <Button
        look="ghost"
        size="small"
        square
        icon={<X size={16} />}
        aria-label={t('player.compareEnd')}
        onClick={onClose}
      />
    </div>
  )
  return (
    <Pictures
      recording={recording}
      staged={staged}
      onMain={onMain}
      engine={engine}
      lanes={lanes}
      label={t('player.secondMoment')}
    >
      {bar}
    </Pictures>
  )
}
