import { useQuery, useQueryClient } from '@tanstack/react-query'
import { BookmarkPlus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { useCommand } from '../app/command'
import { hub } from '../app/hub'
import type { CameraDetail } from '../hub/cameraTypes'
import { type Key, useT } from '../i18n'
import { Button, Field } from '../ui/controls'
import type { Handlers } from '../ui/keys'
import { ActDialog, say } from '../ui/overlay'

const digits = [1, 2, 3, 4, 5, 6, 7, 8, 9] as const

/** The camera's presets, which one was called last, and the keys Alt 1–9 that call them. */
export function usePresets(camera: CameraDetail) {
  const [run] = useCommand()
  const [last, setLast] = useState<number>()
  const query = useQuery({
    queryKey: ['presets', camera.id],
    queryFn: () => hub.cameras.presets(camera.id),
    enabled: camera.online && camera.ptz && camera.may.includes('move'),
    staleTime: 60_000,
  })
  const call = async (number: number) => {
    if (await run(() => hub.cameras.control(camera.id, 'preset_call', { number: String(number) }))) setLast(number)
  }
  const keys: Handlers = Object.fromEntries(digits.map(n => [`preset${n}`, () => void call(n)]))
  return { items: query.data?.items ?? [], loading: query.isPending && query.isFetching, last, call, keys }
}

export type PresetList = ReturnType<typeof usePresets>

export function Presets({ camera, list }: { camera: CameraDetail; list: PresetList }) {
  const t = useT()
  const { items, last, call, loading } = list
  const maySave = camera.may.includes('control')
  const [saving, setSaving] = useState(false)
  return (
    <div className="presets" role="group" aria-label={t('ptz.presets')}>
      {items.slice(0, 32).map(preset => (
        <button
          type="button"
          key={preset.number}
          className={`preset${last === preset.number ? ' on' : ''}`}
          title={preset.number < 10 ? `Alt ${preset.number}` : undefined}
          onClick={() => void call(preset.number)}
          data-testid="preset"
          data-number={preset.number}
        >
          {preset.number} {preset.name}
        </button>
      ))}
      {items.length === 0 && <span className="note">{t(loading ? 'common.loading' : 'ptz.noPresets')}</span>}
      {maySave && (
        <Button
          size="small"
          square
          look="ghost"
          icon={<BookmarkPlus size={16} />}
          aria-label={t('ptz.savePreset')}
          title={t('ptz.savePreset')}
          onClick={() => setSaving(true)}
          data-testid="preset-new"
        />
      )}
      {saving && <SavePreset camera={camera} taken={items.map(one => one.number)} onClose={() => setSaving(false)} />}
    </div>
  )
}

function SavePreset({ camera, taken, onClose }: { camera: CameraDetail; taken: number[]; onClose(): void }) {
  const t = useT()
  const queries = useQueryClient()
  const [run, pending] = useCommand()
  const [number, setNumber] = useState(() => String(firstFree(taken)))
  const [name, setName] = useState('')
  const good = /^\d{1,3}$/.test(number) && Number(number) >= 1 && Number(number) <= 255
  const act = async (verb: 'preset_set' | 'preset_delete', said: Key, values: Record<string, string>) => {
    if (!good) return
    if (!(await run(() => hub.cameras.control(camera.id, verb, { number, ...values })))) return
    await queries.invalidateQueries({ queryKey: ['presets', camera.id] })
    say(t(said, { number }))
    onClose()
  }
  return (
    <ActDialog
      title={t('ptz.saveTitle')}
      note={camera.name}
      onClose={onClose}
      also={
        taken.includes(Number(number)) && (
          <Button
            icon={<Trash2 size={16} />}
            onClick={() => void act('preset_delete', 'ptz.presetDeleted', {})}
            data-testid="preset-delete"
          >
            {t('ptz.deletePreset', { number })}
          </Button>
        )
      }
      act={t('ptz.savePreset')}
      pending={pending && t('layouts.saving')}
      onAct={() => void act('preset_set', 'ptz.presetSaved', { name: name.trim() })}
      data-act="preset-save"
      data-testid="preset-dialog"
    >
      <Field
        label={t('ptz.presetNumber')}
        inputMode="numeric"
        value={number}
        onChange={event => setNumber(event.target.value)}
        problem={good ? undefined : t('ptz.presetNumberBad')}
        data-testid="preset-number"
      />
      <Field
        label={t('ptz.presetName')}
        value={name}
        maxLength={32}
        data-focus
        onChange={event => setName(event.target.value)}
        data-testid="preset-name"
      />
    </ActDialog>
  )
}

function firstFree(taken: readonly number[]): number {
  for (let number = 1; number <= 255; number += 1) if (!taken.includes(number)) return number
  return 255
}
