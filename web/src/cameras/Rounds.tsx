import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Pause, Play, Plus, Repeat, SkipForward, Square, Trash2 } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useCommand, useTick } from '../app/command'
import { hub, useCan } from '../app/hub'
import type { Round } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { Button, Field } from '../ui/controls'
import { ActDialog, Confirm } from '../ui/overlay'
import { advance, due, prefetch, type Run, screen, screens, step } from './rounds.model'
import { type Size, sizes } from './wall.model'

export interface Rounding {
  name: string
  run: Run
}

export interface RoundControl {
  rounding: Rounding | undefined
  /** Cameras to have open beside the wall. */
  ahead: readonly string[]
  start(round: Round): void
  change(next: (run: Run) => Run): void
  stop(): void
}

/** Runs one round: the page turns the wall, the next screen is opened before. */
export function useRound(show: (cameras: string[], size: Size) => void): RoundControl {
  const [rounding, setRounding] = useState<Rounding>()
  const [ahead, setAhead] = useState<readonly string[]>([])
  const run = rounding?.run
  useEffect(() => {
    if (!run) {
      setAhead([])
      return
    }
    const at = due(run, Date.now())
    setAhead(prefetch(run, Date.now()))
    if (at === undefined) return
    const wake = () => {
      const now = Date.now()
      const next = advance(run, now)
      if (next !== run) setRounding(old => old && { ...old, run: next })
      else setAhead(prefetch(run, now))
    }
    const first = setTimeout(wake, Math.max(0, at - Date.now()) + 5)
    const second = setTimeout(wake, Math.max(0, run.since + run.dwell - Date.now()) + 10)
    return () => {
      clearTimeout(first)
      clearTimeout(second)
    }
  }, [run])
  // Only a turn of the round shows something, not a pause.
  const cameras = run ? screen(run, run.at).join() : ''
  const size = sizes.find(one => one === run?.tiles)
  useEffect(() => {
    if (cameras && size) show(cameras.split(','), size)
  }, [cameras, size, show])
  return {
    rounding,
    ahead,
    start: round => {
      const tiles = sizes.find(one => one >= round.tiles) ?? 25
      const dwell = round.dwell_seconds * 1000
      setRounding({
        name: round.name,
        run: { cameras: round.cameras, tiles, dwell, at: 0, since: Date.now(), paused: false },
      })
    },
    change: next => setRounding(old => old && { ...old, run: next(old.run) }),
    stop: () => setRounding(undefined),
  }
}

/** Below the tree: the rounds there are, or the one that runs. */
export function RoundPanel({ control, wall }: { control: RoundControl; wall: readonly string[] }) {
  const t = useT()
  const may = useCan('round.edit')
  const [making, setMaking] = useState(false)
  const query = useQuery({ queryKey: ['rounds'], queryFn: () => hub.cameras.rounds(), staleTime: 60_000 })
  const rounds = query.data?.items ?? []
  return (
    <section className="round-panel" aria-label={t('rounds.title')} data-testid="rounds">
      <header>
        <h3 className="note grow">{t('rounds.title')}</h3>
        {may && (
          <Button
            size="small"
            look="ghost"
            square
            icon={<Plus size={16} />}
            aria-label={t('rounds.make')}
            title={t('rounds.makeHint')}
            onClick={() => setMaking(true)}
            data-testid="round-make"
          />
        )}
      </header>
      {control.rounding ? (
        <Running control={control} rounding={control.rounding} />
      ) : (
        <ul>
          {rounds.length === 0 && <li className="note">{t('rounds.none')}</li>}
          {rounds.map(round => (
            <RoundRow key={round.id} round={round} mayEdit={may} onStart={() => control.start(round)} />
          ))}
        </ul>
      )}
      {making && <MakeRound cameras={wall} onClose={() => setMaking(false)} />}
    </section>
  )
}

function RoundRow({ round, mayEdit, onStart }: { round: Round; mayEdit: boolean; onStart(): void }) {
  const t = useT()
  const queries = useQueryClient()
  const [asking, setAsking] = useState(false)
  const [run, pending] = useCommand()
  const { name, tiles, dwell_seconds: seconds } = round
  const remove = async () => {
    if (!(await run(() => hub.cameras.removeRound(round.id)))) return
    setAsking(false)
    await queries.invalidateQueries({ queryKey: ['rounds'] })
  }
  return (
    <li className="round-row">
      <Button
        className="grow"
        size="small"
        icon={<Repeat size={15} />}
        title={t('rounds.start')}
        onClick={onStart}
        data-testid="round-start"
      >
        <span className="cut">{t('rounds.line', { name, count: round.cameras.length, tiles, seconds })}</span>
      </Button>
      {mayEdit && (
        <Button
          size="small"
          square
          look="ghost"
          icon={<Trash2 size={14} />}
          aria-label={t('rounds.remove')}
          onClick={() => setAsking(true)}
        />
      )}
      {asking && (
        <Confirm
          title={t('rounds.removeTitle', { name })}
          body={t('rounds.removeBody')}
          act={t('rounds.remove')}
          pending={pending && t('rounds.remove')}
          onConfirm={() => void remove()}
          onClose={() => setAsking(false)}
        />
      )}
    </li>
  )
}

function Running({ control, rounding }: { control: RoundControl; rounding: Rounding }) {
  const t = useT()
  useTick(1000)
  const { run, name } = rounding
  const values = { name, page: run.at + 1, pages: screens(run) }
  const seconds = Math.max(0, Math.ceil((run.since + run.dwell - Date.now()) / 1000))
  const now = () => Date.now()
  return (
    <div className="round-running" role="status" data-testid="round-running">
      <p>{run.paused ? t('rounds.paused', values) : t('rounds.running', { ...values, seconds })}</p>
      <div>
        <Button
          size="small"
          icon={run.paused ? <Play size={15} /> : <Pause size={15} />}
          aria-label={t(run.paused ? 'rounds.resume' : 'rounds.pause')}
          square
          onClick={() => control.change(old => ({ ...old, paused: !old.paused, since: now() }))}
        />
        <Button
          size="small"
          square
          icon={<SkipForward size={15} />}
          aria-label={t('rounds.next')}
          onClick={() => control.change(old => step(old, 1, now()))}
        />
        <Button size="small" icon={<Square size={14} />} onClick={control.stop} data-testid="round-stop">
          {t('rounds.stop')}
        </Button>
      </div>
    </div>
  )
}

function MakeRound({ cameras, onClose }: { cameras: readonly string[]; onClose(): void }) {
  const t = useT()
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const [dwell, setDwell] = useState('20')
  const [tiles, setTiles] = useState<Size>(4)
  const [tried, setTried] = useState(false)
  const [run, pending] = useCommand()
  const seconds = Number(dwell)
  const good = Number.isInteger(seconds) && seconds >= 5 && seconds <= 3600
  const save = async () => {
    setTried(true)
    if (!name.trim() || !good) return
    const round = { name: name.trim(), cameras: [...cameras], tiles, dwell_seconds: seconds }
    if (!(await run(() => hub.cameras.makeRound(round)))) return
    await queries.invalidateQueries({ queryKey: ['rounds'] })
    onClose()
  }
  return (
    <ActDialog
      title={t('rounds.make')}
      note={t('rounds.fromWall', { count: cameras.length })}
      onClose={onClose}
      data-testid="round-dialog"
      act={t('rounds.save')}
      pending={pending && t('rounds.saving')}
      refused={cameras.length === 0 && t('wall.none')}
      onAct={() => void save()}
      data-act="round-save"
    >
      <Field
        label={t('rounds.name')}
        value={name}
        maxLength={100}
        data-focus
        onChange={event => setName(event.target.value)}
        problem={tried && !name.trim() ? t('rounds.nameMissing') : undefined}
        data-testid="round-name"
      />
      <Field
        label={t('rounds.dwell')}
        value={dwell}
        inputMode="numeric"
        onChange={event => setDwell(event.target.value)}
        problem={good ? undefined : t('rounds.dwellBad')}
        data-testid="round-dwell"
      />
      <div className="field">
        <span className="field-name">{t('rounds.tiles')}</span>
        <div className="tabs">
          {sizes.map(size => (
            <button
              type="button"
              key={size}
              aria-pressed={tiles === size}
              onClick={() => setTiles(size)}
              data-testid={`round-tiles-${size}`}
            >
              {size}
            </button>
          ))}
        </div>
      </div>
    </ActDialog>
  )
}
