import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useCommand } from '../app/command'
import { hub } from '../app/hub'
import { may } from '../consultations/may.model'
import type { Camera } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { Empty, Skeleton } from '../ui/controls'
import { ActDialog, say } from '../ui/overlay'
import { clockTime } from '../ui/time.model'
import type { Replaying } from './playback'

interface Props {
  selected: Camera | undefined
  shown: readonly string[]
  /** What is being played of the selected camera, and where it stands. */
  replaying: Replaying | undefined
  position: number | undefined
  onClose(): void
}

type What = 'selected' | 'all' | 'playback'

/** Cameras of the wall, or a recording that is playing, into a consultation that goes on. */
export function BringDialog({ selected, shown, replaying, position, onClose }: Props) {
  const t = useT()
  // Events do not say what this person may do: it is asked for.
  const query = useQuery({
    queryKey: ['consultations', 'live', 'bring'],
    queryFn: () => hub.api.consultations('live'),
    staleTime: 0,
  })
  const live = (query.data?.items ?? []).filter(one => may(one, 'camera'))
  const [what, setWhat] = useState<What>(replaying ? 'playback' : selected ? 'selected' : 'all')
  const [chosen, setWhere] = useState<string>()
  const where = chosen ?? live[0]?.id
  const [run, pending] = useCommand()
  const target = live.find(one => one.id === where)
  const submit = async () => {
    if (!target) return
    const done = await run(async () => {
      if (what === 'playback' && replaying && position !== undefined) {
        const from = new Date(position).toISOString()
        const to = new Date(replaying.to).toISOString()
        await hub.cameras.play(replaying.camera, from, to, { consultation_id: target.id })
        return
      }
      const cameras = what === 'all' ? shown : selected ? [selected.id] : []
      const there = new Set(target.cameras.map(camera => camera.id))
      for (const id of cameras) if (!there.has(id)) hub.learn(await hub.api.addCamera(target.id, id))
    })
    if (!done) return
    say(t('bring.done', { title: target.title }))
    onClose()
  }
  const choices: [What, string][] = []
  if (selected) choices.push(['selected', t('bring.selected', { name: selected.name })])
  if (selected && replaying && position !== undefined)
    choices.push(['playback', t('bring.playback', { name: selected.name, time: clockTime(position) })])
  if (shown.length > 1) choices.push(['all', t('bring.all', { count: shown.length })])
  return (
    <ActDialog
      title={t('bring.title')}
      note={t('bring.hint')}
      onClose={onClose}
      data-testid="bring-dialog"
      act={t('bring.submit')}
      pending={pending && t('bring.pending')}
      refused={(!target && t('bring.none')) || (!choices.length && t('wall.none'))}
      onAct={() => void submit()}
      data-act="bring-submit"
    >
      <fieldset className="choices">
        <legend className="field-name">{t('bring.which')}</legend>
        {choices.length === 0 && <span className="note">{t('wall.none')}</span>}
        {choices.map(([key, text]) => (
          <label key={key}>
            <input type="radio" name="what" checked={what === key} onChange={() => setWhat(key)} /> {text}
          </label>
        ))}
      </fieldset>
      <fieldset className="choices">
        <legend className="field-name">{t('bring.where')}</legend>
        {query.isPending && <Skeleton lines={2} />}
        {query.data && live.length === 0 && <Empty text={t('bring.none')} />}
        {live.map(one => (
          <label key={one.id} data-testid="bring-target">
            <input type="radio" name="where" checked={where === one.id} onChange={() => setWhere(one.id)} />
            <span className="two">
              <span>{one.title}</span>
              <small className="note">{one.code}</small>
            </span>
          </label>
        ))}
      </fieldset>
    </ActDialog>
  )
}
