import { useQuery } from '@tanstack/react-query'
import { Cctv, Unplug } from 'lucide-react'
import { type KeyboardEvent, useRef, useState } from 'react'
import { reasonText, sentence, useCommand, useSettled } from '../app/command'
import { hub, useHub } from '../app/hub'
import type { Camera } from '../hub/cameraTypes'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { Button, Check, Empty, Marked, ProblemLine, SearchField, Skeleton } from '../ui/controls'
import { Dialog, say } from '../ui/overlay'
import { move, start, toBring, toggle, typed } from './picker.model'

interface Props {
  consultation: Consultation
  parties: number
  onClose(): void
  /** The identity whose picture is to be the main one. */
  onMain(identity: string): void
}

export function CameraPicker({ consultation, parties, onClose, onMain }: Props) {
  const t = useT()
  const [q, setQ] = useState('')
  const [choice, setChoice] = useState(start)
  const [makeMain, setMakeMain] = useState(false)
  const [run, pending] = useCommand()
  const wanted = useSettled(q.trim(), 150)
  const query = useQuery({
    queryKey: ['cameras', wanted],
    queryFn: () => hub.api.cameras(wanted),
    placeholderData: before => before,
  })
  const news = useHub(state => state.cameras)
  const inRoom = new Set(consultation.cameras.map(camera => camera.id))
  const cameras = (query.data?.items ?? []).map(camera => ({
    ...camera,
    ...news[camera.id],
    inRoom: inRoom.has(camera.id),
  }))
  const marked = cameras[choice.at]
  const bring = toBring(choice, cameras)
  const list = useRef<HTMLDivElement>(null)

  const submit = async () => {
    if (bring.length === 0) return
    const names = cameras.filter(camera => bring.includes(camera.id)).map(camera => camera.name)
    const done = await run(async () => {
      for (const id of bring) hub.learn(await hub.api.addCamera(consultation.id, id))
    })
    if (!done) return
    say(t('picker.done', { name: names.join('、') }))
    const first = hub.store.getState().consultations[consultation.id]?.cameras.find(camera => camera.id === bring[0])
    if (makeMain && first) onMain(first.identity)
    onClose()
  }
  const step = (by: number) => {
    const next = move(choice, cameras, by)
    setChoice(next)
    list.current?.children[next.at]?.scrollIntoView({ block: 'nearest' })
  }
  const keys = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return
    if (event.key === 'ArrowDown') step(1)
    else if (event.key === 'ArrowUp') step(-1)
    else if (event.key === 'Enter') void submit()
    else if (event.key === ' ' && choice.moved) setChoice(toggle(choice, marked))
    else return
    event.preventDefault()
  }

  return (
    <Dialog
      title={t('picker.title')}
      note={t('picker.hint', { count: parties })}
      onClose={onClose}
      className="picker"
      data-testid="camera-picker"
      footer={
        <>
          <Check checked={makeMain} onChange={setMakeMain} data-testid="camera-main">
            {t('picker.makeMain')}
          </Check>
          <span className="grow" />
          <span className="note picker-keys">
            <kbd className="kbd">↑</kbd> <kbd className="kbd">↓</kbd> {t('picker.keysMove')}{' '}
            <kbd className="kbd">{t('picker.spaceKey')}</kbd> {t('picker.keysMark')}
          </span>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button
            look="primary"
            pending={pending && t('picker.pending')}
            onClick={() => void submit()}
            data-testid="camera-submit"
          >
            {t('picker.submit', { count: bring.length })} <kbd className="kbd">Enter</kbd>
          </Button>
        </>
      }
    >
      <SearchField
        large
        label={t('picker.searchHint')}
        value={q}
        onChange={value => {
          setQ(value)
          setChoice(typed(choice))
        }}
        data-focus
        onKeyDown={keys}
        role="combobox"
        aria-expanded
        aria-controls="camera-options"
        aria-activedescendant={marked && `camera-${marked.id}`}
        after={<span className="note">{t('picker.count', { count: cameras.length })}</span>}
        data-testid="camera-search"
      />
      <div className="picker-body">
        <div className="picker-list" id="camera-options" role="listbox" aria-multiselectable ref={list}>
          {query.isPending && <Skeleton lines={5} />}
          {query.error && <ProblemLine text={sentence(query.error)} />}
          {query.data && cameras.length === 0 && (
            <Empty text={wanted ? t('common.nothingFound', { q: wanted }) : t('picker.empty')} />
          )}
          {cameras.map((camera, i) => (
            <Option
              key={camera.id}
              camera={camera}
              q={wanted}
              marked={i === choice.at}
              chosen={choice.chosen.includes(camera.id)}
              onPick={() => setChoice({ ...toggle(choice, camera), at: i })}
            />
          ))}
        </div>
        {marked && <Facts camera={marked} />}
      </div>
    </Dialog>
  )
}

type Shown = Camera & { inRoom: boolean }

interface OptionProps {
  camera: Shown
  q: string
  marked: boolean
  chosen: boolean
  onPick(): void
}

function Option({ camera, q, marked, chosen, onPick }: OptionProps) {
  const t = useT()
  return (
    <div
      id={`camera-${camera.id}`}
      role="option"
      aria-selected={chosen}
      aria-disabled={camera.inRoom}
      className={`camera-option${marked ? ' marked' : ''}${chosen ? ' chosen' : ''}`}
      onClick={onPick}
      data-testid="camera-option"
      data-id={camera.id}
      data-name={camera.name}
    >
      {camera.state === 'failed' ? <Unplug size={18} /> : <Cctv size={18} />}
      <span className="two grow">
        <strong className="cut">
          <Marked text={camera.name} q={q} />
        </strong>
        <small className="cut">{[camera.org.name, camera.place].filter(Boolean).join(' · ')}</small>
      </span>
      {camera.inRoom && <span className="chip accent">{t('picker.inRoom')}</span>}
      {camera.state === 'failed' && <span className="chip outline">{t('picker.failed')}</span>}
      {camera.state === 'connecting' && <span className="chip">{t('picker.connecting')}</span>}
      <i className={`box${chosen ? ' on' : ''}`} />
    </div>
  )
}

function Facts({ camera }: { camera: Shown }) {
  const t = useT()
  return (
    <aside className="picker-facts">
      <h3>{camera.name}</h3>
      <dl className="facts">
        <dt>{t('picker.owner')}</dt>
        <dd>{camera.org.name}</dd>
        <dt>{t('picker.place')}</dt>
        <dd>{camera.place ?? t('common.none')}</dd>
        <dt>{t('label.name')}</dt>
        <dd>{t(`label.${camera.label}`)}</dd>
        <dt>{t('picker.stateName')}</dt>
        <dd>
          {t(`picker.${camera.state}`)}
          {camera.reason && <p className="note">{reasonText(camera.reason)}</p>}
        </dd>
      </dl>
    </aside>
  )
}
