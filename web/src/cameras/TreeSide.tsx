import {
  Building2,
  Cctv,
  ChevronDown,
  ChevronRight,
  CircleAlert,
  Eye,
  Folder,
  HardDrive,
  Network,
  Star,
  TriangleAlert,
  Unplug,
  Wrench,
} from 'lucide-react'
import { type KeyboardEvent, type ReactNode, type RefObject, useEffect, useRef, useState } from 'react'
import { sentence, useSettled } from '../app/command'
import type { Camera, NodeKind } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { Button, SearchField } from '../ui/controls'
import { hits } from './pinyin.model'
import { thousands } from './tile.model'
import { type CameraTree, canMark, type Filter, keyed, noFilter, type Row, type TreeView } from './tree.model'
import { VirtualRows } from './VirtualRows'

/** What a dragged camera is called on its way to a tile. */
export const dragged = 'application/x-commhub-camera'

interface Props {
  tree: CameraTree
  view: TreeView
  searchBox: RefObject<HTMLInputElement | null>
  /** Cameras that are on the wall. */
  shown: ReadonlySet<string>
  onOpen(camera: Camera, instead: boolean): void
  onFavour(camera: Camera): void
  children?: ReactNode
}

export function TreeSide({ tree, view, searchBox, shown, onOpen, onFavour, children }: Props) {
  const t = useT()
  const [q, setQ] = useState('')
  const [chips, setChips] = useState<Filter>(noFilter)
  const [mark, setMark] = useState<string>()
  const wanted = useSettled(q, 120)
  useEffect(() => tree.setFilter({ ...chips, q: wanted }), [tree, chips, wanted])
  const { rows } = view
  const at = Math.max(
    -1,
    rows.findIndex(row => row.key === mark),
  )
  const act = (row: Row | undefined, instead: boolean) => {
    if (row?.kind === 'node') tree.toggle(row.node.id)
    else if (row?.kind === 'camera') onOpen(row.camera, instead)
    else if (row?.kind === 'problem') tree.again(row.of)
  }
  const keys = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing || event.altKey || event.ctrlKey || event.metaKey) return
    const typing = event.target === searchBox.current
    const meant = keyed(rows, at, event.key, typing)
    // What is shown answers an older question than what is typed: opening the first of it would open something else.
    const late = view.stale || q !== wanted
    if (meant?.go !== undefined) setMark(rows[meant.go]?.key)
    else if (meant?.act && !(late && typing)) act(meant.act, event.shiftKey)
    else if (meant) return event.preventDefault()
    else if (typing && event.key === 'Escape' && q) setQ('')
    else return
    event.preventDefault()
  }
  const total = view.total === undefined ? '' : thousands(view.total)
  const count = view.found === undefined ? total : t('cameras.count', { found: thousands(view.found), total })
  return (
    <aside className="tree-side" aria-label={t('cameras.tree')} onKeyDown={keys}>
      <SearchField
        label={t('cameras.searchHint')}
        value={q}
        onChange={value => {
          setQ(value)
          setMark(undefined)
        }}
        hint="cameraSearch"
        inputRef={searchBox}
        aria-controls="camera-tree"
        after={
          <span className="note" role="status" data-testid="camera-count">
            {count}
          </span>
        }
        data-testid="camera-search"
      />
      <Chips chips={chips} onChange={setChips} />
      <VirtualRows
        id="camera-tree"
        className="tree"
        label={t('cameras.tree')}
        rows={rows}
        rowHeight={32}
        at={at}
        onEdge={row => {
          if (row.kind === 'more') tree.more(row.of)
        }}
        render={(row, i) => (
          <TreeRow
            row={row}
            q={wanted}
            marked={i === at}
            shown={row.kind === 'camera' && shown.has(row.camera.id)}
            onMark={() => canMark(row) && setMark(row.key)}
            onAct={() => act(row, false)}
            onFavour={onFavour}
          />
        )}
      />
      {children}
    </aside>
  )
}

function Chips({ chips, onChange }: { chips: Filter; onChange(chips: Filter): void }) {
  const t = useT()
  return (
    <div className="tree-chips">
      {(['online', 'ptz', 'alarm'] as const).map(name => (
        <Button
          key={name}
          size="small"
          aria-pressed={chips[name]}
          onClick={() => onChange({ ...chips, [name]: !chips[name] })}
          data-testid={`filter-${name}`}
        >
          {t(`cameras.${name}`)}
        </Button>
      ))}
      <span className="grow" />
      <Button
        size="small"
        square
        icon={<Star size={15} />}
        aria-pressed={chips.favourite}
        aria-label={t('cameras.favourites')}
        title={t('cameras.favourites')}
        onClick={() => onChange({ ...chips, favourite: !chips.favourite })}
        data-testid="filter-favourite"
      />
    </div>
  )
}

const nodeIcons: Record<NodeKind, typeof Folder> = {
  organisation: Building2,
  platform: Network,
  region: Folder,
  system: Eye,
  group: Folder,
  virtual: Folder,
  device: HardDrive,
}

interface RowProps {
  row: Row
  q: string
  marked: boolean
  shown: boolean
  onMark(): void
  onAct(): void
  onFavour(camera: Camera): void
}

function TreeRow({ row, q, marked, shown, onMark, onAct, onFavour }: RowProps) {
  const t = useT()
  const indent = { paddingLeft: 8 + row.depth * 16 }
  if (row.kind === 'camera')
    return <CameraRow {...{ camera: row.camera, q, marked, shown, indent, onMark, onAct, onFavour }} />
  if (row.kind === 'node') {
    const Icon = nodeIcons[row.node.kind]
    const Chevron = row.open ? ChevronDown : ChevronRight
    return (
      <div
        className={`tree-row${marked ? ' marked' : ''}`}
        style={indent}
        role="treeitem"
        aria-level={row.depth + 1}
        aria-expanded={row.open}
        onClick={() => {
          onMark()
          onAct()
        }}
        data-testid="tree-node"
        data-name={row.node.name}
      >
        <Chevron size={15} />
        <Icon size={16} />
        <span className="cut grow" title={row.node.name}>
          {row.node.name}
        </span>
        <span className="note">
          {t('cameras.onlineOf', { online: thousands(row.node.online), total: thousands(row.node.total) })}
        </span>
      </div>
    )
  }
  return (
    <div className="tree-row quiet" style={indent}>
      {row.kind === 'group' && (
        <>
          <ChevronDown size={15} />
          <Folder size={16} />
          <span className="cut grow">
            <Hits text={row.name} q={q} />
          </span>
        </>
      )}
      {(row.kind === 'more' || row.kind === 'loading') && (
        <>
          <span className="spin" /> {t('common.loading')}
        </>
      )}
      {row.kind === 'none' && t('cameras.nothing')}
      {row.kind === 'problem' && (
        <>
          <CircleAlert size={15} />
          <span className="cut grow" title={sentence(row.error)}>
            {sentence(row.error)}
          </span>
          <Button size="small" onClick={onAct}>
            {t('common.tryAgain')}
          </Button>
        </>
      )}
    </div>
  )
}

interface CameraRowProps extends Omit<RowProps, 'row'> {
  camera: Camera
  indent: { paddingLeft: number }
}

function CameraRow({ camera, q, marked, shown, indent, onMark, onAct, onFavour }: CameraRowProps) {
  const t = useT()
  const self = useRef<HTMLDivElement>(null)
  const Icon = camera.online ? Cctv : Unplug
  return (
    <div
      ref={self}
      className={`tree-row camera${marked ? ' marked' : ''}${camera.online ? '' : ' off'}`}
      style={indent}
      role="treeitem"
      aria-selected={shown}
      draggable
      onDragStart={event => {
        event.dataTransfer.setData(dragged, camera.id)
        event.dataTransfer.effectAllowed = 'copyMove'
      }}
      onClick={onMark}
      onDoubleClick={onAct}
      title={t('cameras.openHint')}
      data-testid="tree-camera"
      data-id={camera.id}
      data-name={camera.name}
    >
      <Icon size={16} aria-label={camera.online ? t('cameras.online') : t('cameras.offline')} />
      <span className="cut grow">
        <Hits text={camera.name} q={q} />
      </span>
      {camera.faulty && (
        <span title={t('cameras.faulty')}>
          <Wrench size={14} aria-label={t('cameras.faulty')} data-testid="tree-faulty" />
        </span>
      )}
      {camera.alarm && <TriangleAlert size={14} aria-label={t('cameras.hasAlarm')} />}
      <button
        type="button"
        className={`star${camera.favourite ? ' on' : ''}`}
        tabIndex={-1}
        aria-label={t(camera.favourite ? 'cameras.unfavour' : 'cameras.favour', { name: camera.name })}
        aria-pressed={camera.favourite}
        onClick={event => {
          event.stopPropagation()
          onFavour(camera)
        }}
        onDoubleClick={event => event.stopPropagation()}
      >
        <Star size={14} />
      </button>
    </div>
  )
}

/** `text` with what the search hit marked, also where pinyin did. */
export function Hits({ text, q }: { text: string; q: string }) {
  const found = hits(text, q)
  if (!found.length) return text
  const parts: ReactNode[] = []
  let from = 0
  for (const hit of found) {
    parts.push(text.slice(from, hit.from), <mark key={hit.from}>{text.slice(hit.from, hit.to)}</mark>)
    from = hit.to
  }
  return [...parts, text.slice(from)]
}
