import { useQuery } from '@tanstack/react-query'
import { BookUser, Cctv, Radio, Video } from 'lucide-react'
import { type KeyboardEvent, type ReactNode, useMemo, useRef, useState } from 'react'
import { useStore } from 'zustand'
import { sentence, useCommand, useSettled } from '../app/command'
import { hub, useCan, useHub } from '../app/hub'
import { navigate, usePath } from '../app/router'
import { desk } from '../calls/desk'
import { api } from '../directory/api'
import { targetOf } from '../directory/directory.model'
import { groups } from '../groups/desk'
import { liveList } from '../hub/state'
import { useT } from '../i18n'
import { Marked, ProblemLine, SearchField } from '../ui/controls'
import { Dialog } from '../ui/overlay'
import { type Act, type Found, found, type Kind, leaves, moved, type Searching, steady } from './quick.model'
import './quick.css'

const icons: Record<Kind, ReactNode> = {
  consultation: <Video size={16} />,
  group: <Radio size={16} />,
  entry: <BookUser size={16} />,
  camera: <Cctv size={16} />,
}

/** One field over everything that can be opened, called or joined; arrows and Enter, Esc closes. */
export default function QuickDialog({ onClose }: { onClose(): void }) {
  const t = useT()
  const path = usePath()
  const [q, setQ] = useState('')
  /** By its key: what is found later comes between, and changes nothing. */
  const [mark, setMark] = useState<string>()
  const [sure, setSure] = useState<string>()
  const [run, pending] = useCommand()
  const list = useRef<HTMLDivElement>(null)
  const wanted = useSettled(q.trim(), 150)
  const { rows, searching, error } = useFound(wanted)
  const typed = wanted !== q.trim()
  const at = Math.max(
    0,
    rows.findIndex(one => one.key === mark),
  )
  const marked = rows[at]
  const settled = mark === marked?.key || steady(marked, searching)
  const busy = typed || searching.entries || searching.cameras

  /** Only what is seen: letters that were typed since may mean somebody else. */
  const pick = (one: Found | undefined, act = one?.act) => {
    if (!one || !act || typed || pending || (one === marked && !settled)) return
    if (leaves(one, act, path) && sure !== one.key) setSure(one.key)
    else void run(() => perform(one, act)).then(done => done && onClose())
  }
  const step = (by: number) => {
    const next = moved(at, by, rows.length)
    setMark(rows[next]?.key)
    setSure(undefined)
    list.current?.querySelectorAll('[role="option"]')[next]?.scrollIntoView({ block: 'nearest' })
  }
  const keys = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return
    if (event.key === 'ArrowDown') step(1)
    else if (event.key === 'ArrowUp') step(-1)
    else if (event.key === 'Enter') pick(marked, event.shiftKey ? 'open' : marked?.act)
    else return
    event.preventDefault()
  }
  return (
    <Dialog title={t('quick.title')} onClose={onClose} className="quick" data-testid="quick">
      <SearchField
        large
        label={t('quick.hint')}
        value={q}
        onChange={text => {
          setQ(text)
          setMark(undefined)
          setSure(undefined)
        }}
        onKeyDown={keys}
        role="combobox"
        aria-expanded
        aria-controls="quick-found"
        aria-activedescendant={marked && `quick-${marked.id}`}
        data-focus
        data-testid="quick-search"
      />
      <div className="quick-found" id="quick-found" role="listbox" aria-label={t('quick.title')} ref={list}>
        {rows.map((one, index) => (
          <div key={one.key} role="presentation">
            {rows[index - 1]?.kind !== one.kind && <h3>{t(`quick.kind.${one.kind}`)}</h3>}
            <div
              id={`quick-${one.id}`}
              className={`quick-row${one === marked ? ' marked' : ''}`}
              role="option"
              tabIndex={-1}
              aria-selected={one === marked}
              onPointerMove={() => one !== marked && setMark(one.key)}
              onClick={() => pick(one)}
              data-testid="quick-row"
              data-kind={one.kind}
            >
              {icons[one.kind]}
              <span className="two grow">
                <strong className="cut">
                  <Marked text={one.name} q={wanted} />
                </strong>
                <small className="cut">{sure === one.key ? t('quick.leaves') : one.about}</small>
              </span>
              <span className="note">{t(`quick.act.${one.act}`)}</span>
              {one === marked && <kbd className="kbd">Enter</kbd>}
            </div>
          </div>
        ))}
      </div>
      {error !== null && <ProblemLine text={sentence(error)} />}
      <p className="note quick-foot" role="status">
        {busy
          ? t('common.loading')
          : rows.length > 0
            ? t('quick.keys')
            : q.trim()
              ? t('common.nothingFound', { q: q.trim() })
              : t('quick.hint')}
      </p>
    </Dialog>
  )
}

/** What the page knows already, and what the hub finds in its directory and among its cameras. */
function useFound(q: string): { rows: Found[]; searching: Searching; error: unknown } {
  const me = useHub(state => state.session?.person.id ?? '')
  const all = useHub(state => state.consultations)
  const known = useStore(groups.store, state => state.groups)
  const call = useCan('call.make')
  const mayLook = useCan('directory.view')
  const mayWatch = useCan('camera.open')
  const entries = useQuery({
    queryKey: ['directory', 'search', q, 'quick'],
    queryFn: () => api.search(q),
    enabled: mayLook && q !== '',
  })
  const cameras = useQuery({
    queryKey: ['cameras', q],
    queryFn: () => hub.api.cameras(q),
    enabled: mayWatch && q !== '',
  })
  const rows = useMemo(
    () =>
      found(
        {
          consultations: liveList(all),
          groups: known,
          entries: entries.data?.items ?? [],
          cameras: q === '' ? [] : (cameras.data?.items ?? []),
        },
        q,
        { me, call },
      ),
    [all, known, entries.data, cameras.data, q, me, call],
  )
  const searching = { entries: entries.isFetching, cameras: cameras.isFetching }
  return { rows, searching, error: entries.error ?? cameras.error }
}

async function perform(one: Found, act: Act): Promise<void> {
  const target = one.entry && targetOf(one.entry)
  if (act === 'call' && target) return desk.call([target])
  if (one.kind === 'consultation') navigate(act === 'join' ? `/room/${one.id}` : '/consultations')
  else if (one.kind === 'camera') navigate(`/cameras?open=${encodeURIComponent(one.id)}`)
  else if (one.kind === 'entry') navigate(`/directory?q=${encodeURIComponent(one.name)}`)
  else {
    groups.show(true)
    if (act === 'talk') await groups.choose(one.id)
  }
}
