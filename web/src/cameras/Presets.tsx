import { useQuery, useQueryClient } from '@tanstack/react-query'
import { BookmarkPlus } from 'lucide-react'
import { useState } from 'react'
import { useCommand } from '../app/command'
import { hub } from '../app/hub'
import type { CameraDetail } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { Button, Field } from '../ui/controls'
import type { Handlers } from '../ui/keys'
import { Dialog, say } from '../ui/overlay'

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
  const save = async () => {
    if (!good) return
    const done = await run(() => hub.cameras.control(camera.id, 'preset_set', { number, name: name.trim() }))
    if (!done) return
    await queries.invalidateQueries({ queryKey: ['presets', camera.id] })
    say(t('ptz.presetSaved', { number }))
    onClose()
  }
  return (
    <Dialog
      title={t('ptz.saveTitle')}
      note={camera.name}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button look="primary" pending={pending && t('layouts.saving')} onClick={() => void save()}>
            {t('ptz.savePreset')}
          </Button>
        </>
      }
    >
      <Field
        label={t('ptz.presetNumber')}
        inputMode="numeric"
        value={number}
        onChange={event => setNumber(event.target.value)}
        problem={good ? undefined : t('ptz.presetNumberBad')}
      />
      <Field
        label={t('ptz.presetName')}
        value={name}
        maxLength={32}
        data-focus
        onChange={event => setName(event.target.value)}
      />
    </Dialog>
  )
}

function firstFree(taken: readonly number[]): number {
  for (let number = 1; number <= 255; number += 1) if (!taken.includes(number)) return number
  return 255
}
