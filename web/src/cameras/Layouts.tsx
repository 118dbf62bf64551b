import { useQuery, useQueryClient } from '@tanstack/react-query'
import { LayoutGrid, Save, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { useCommand } from '../app/command'
import { hub, newId } from '../app/hub'
import type { Layout } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { Button, Field } from '../ui/controls'
import { ActDialog, Popover, say } from '../ui/overlay'
import { shownPlaces, type Wall } from './wall.model'

const key = ['layouts']

function useLayouts() {
  const queries = useQueryClient()
  const query = useQuery({ queryKey: key, queryFn: () => hub.cameras.layouts(), staleTime: 60_000 })
  const items = query.data?.items ?? []
  const save = async (next: Layout[]) => {
    queries.setQueryData(key, await hub.cameras.saveLayouts(next))
  }
  return { items, save }
}

/** The saved walls of this person, and saving another. */
export function Layouts({ wall, onLay }: { wall: Wall; onLay(layout: Layout): void }) {
  const t = useT()
  const { items, save } = useLayouts()
  const [open, setOpen] = useState(false)
  const [saving, setSaving] = useState(false)
  const [run] = useCommand()
  return (
    <Popover open={open} onOpen={setOpen}>
      <Button icon={<LayoutGrid size={16} />} aria-expanded={open} onClick={() => setOpen(!open)} data-testid="layouts">
        {t('wall.layouts')}
      </Button>
      {open && (
        <div className="menu below layouts-menu">
          {items.length === 0 && <p className="note">{t('layouts.none')}</p>}
          {items.map(layout => (
            <div key={layout.id} className="layout-row">
              <button
                type="button"
                onClick={() => {
                  onLay(layout)
                  setOpen(false)
                }}
                data-testid="layout"
              >
                <span className="cut">{t('layouts.line', { name: layout.name, tiles: layout.tiles })}</span>
              </button>
              <button
                type="button"
                className="icon"
                aria-label={t('layouts.remove', { name: layout.name })}
                onClick={() => void run(() => save(items.filter(one => one.id !== layout.id)))}
              >
                <Trash2 size={14} />
              </button>
            </div>
          ))}
          <hr />
          <button
            type="button"
            onClick={() => {
              setOpen(false)
              setSaving(true)
            }}
            data-testid="layout-save"
          >
            <Save size={16} /> {t('wall.saveLayout')}
          </button>
        </div>
      )}
      {saving && (
        <SaveLayout wall={wall} onSave={layout => save([...items, layout])} onClose={() => setSaving(false)} />
      )}
    </Popover>
  )
}

function SaveLayout({ wall, onSave, onClose }: { wall: Wall; onSave(layout: Layout): Promise<void>; onClose(): void }) {
  const t = useT()
  const [name, setName] = useState('')
  const [tried, setTried] = useState(false)
  const [run, pending] = useCommand()
  const save = async () => {
    setTried(true)
    const given = name.trim()
    if (!given) return
    const cameras = shownPlaces(wall).map(place => wall.slots[place] ?? null)
    if (!(await run(() => onSave({ id: newId(), name: given, tiles: wall.size, cameras })))) return
    say(t('layouts.saved', { name: given }))
    onClose()
  }
  return (
    <ActDialog
      title={t('layouts.title')}
      onClose={onClose}
      act={t('layouts.save')}
      pending={pending && t('layouts.saving')}
      onAct={() => void save()}
      data-act="layout-submit"
    >
      <Field
        label={t('layouts.name')}
        value={name}
        maxLength={60}
        data-focus
        onChange={event => setName(event.target.value)}
        onKeyDown={event => {
          if (event.key === 'Enter' && !event.nativeEvent.isComposing) void save()
        }}
        problem={tried && !name.trim() ? t('layouts.nameMissing') : undefined}
        data-testid="layout-name"
      />
    </ActDialog>
  )
}
