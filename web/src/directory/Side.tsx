import { ChevronDown, ChevronRight, CircleAlert, History, Star } from 'lucide-react'
import { type KeyboardEvent, type RefObject, useEffect, useMemo, useState } from 'react'
import { sentence } from '../app/command'
import { VirtualRows } from '../cameras/VirtualRows'
import { useT } from '../i18n'
import { Button, SearchField } from '../ui/controls'
import { loadBelow, type Shelf, toggleBranch, useTree } from './book'
import { type Branch, type TreeRow, treeKeyed, treeRows } from './directory.model'
import { ConnectivityMark } from './marks'

interface Props {
  shelf: Shelf
  q: string
  onQ(q: string): void
  searchBox: RefObject<HTMLInputElement | null>
  onShelf(shelf: Shelf): void
}

const rowHeight = 36

/** Search, what is at hand, and the tree of organisations. */
export function Side({ shelf, q, onQ, searchBox, onShelf }: Props) {
  const t = useT()
  const tree = useTree()
  const rows = useMemo(() => treeRows(tree), [tree])
  const [mark, setMark] = useState('')
  const chosen = shelf.at === 'org' && !q ? shelf.id : ''
  useEffect(() => setMark(chosen), [chosen])
  const at = rows.findIndex(row => row.key === mark)
  const keys = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target === searchBox.current) return
    const row = rows[at]
    if (event.key === 'Enter' && row?.kind === 'org') onShelf({ at: 'org', id: row.branch.id, name: row.branch.name })
    else {
      const meant = treeKeyed(rows, at, event.key)
      if (!meant) return
      if ('go' in meant) setMark(rows[meant.go]?.key ?? '')
      else toggleBranch(meant.toggle)
    }
    event.preventDefault()
  }
  return (
    <aside className="book-side" aria-label={t('directory.organisations')} onKeyDown={keys}>
      <SearchField
        label={t('directory.searchHint')}
        value={q}
        onChange={onQ}
        hint="bookSearch"
        inputRef={searchBox}
        aria-controls="book-list"
        onKeyDown={event => {
          if (event.key === 'Escape') onQ('')
          if (event.key !== 'ArrowDown' && event.key !== 'Enter') return
          event.preventDefault()
          document.getElementById('book-list')?.focus()
        }}
        data-testid="book-search"
      />
      <div className="book-shelves">
        {(['favourites', 'recent'] as const).map(name => (
          <Button
            key={name}
            size="small"
            icon={name === 'favourites' ? <Star size={15} /> : <History size={15} />}
            aria-pressed={shelf.at === name && !q}
            onClick={() => onShelf({ at: name })}
            data-testid={`book-${name}`}
          >
            {t(`directory.${name}`)}
          </Button>
        ))}
      </div>
      <VirtualRows
        id="book-tree"
        className="tree"
        label={t('directory.organisations')}
        rows={rows}
        rowHeight={rowHeight}
        at={at}
        onEdge={row => {
          if (row.kind === 'more') void loadBelow(row.of, true)
        }}
        render={row => (
          <Row
            row={row}
            chosen={row.key === chosen}
            marked={row.key === mark}
            onOpen={branch => onShelf({ at: 'org', id: branch.id, name: branch.name })}
          />
        )}
      />
    </aside>
  )
}

function Row({
  row,
  chosen,
  marked,
  onOpen,
}: {
  row: TreeRow
  chosen: boolean
  marked: boolean
  onOpen(branch: Branch): void
}) {
  const t = useT()
  const indent = { paddingLeft: 8 + row.depth * 16 }
  if (row.kind === 'org') {
    const { branch, open } = row
    const Chevron = open ? ChevronDown : ChevronRight
    return (
      <div
        className={`tree-row${chosen ? ' marked' : ''}${marked ? ' at' : ''}`}
        style={indent}
        role="treeitem"
        aria-level={row.depth + 1}
        aria-selected={chosen}
        {...(branch.organisations > 0 && { 'aria-expanded': open })}
        onClick={() => onOpen(branch)}
        onDoubleClick={() => branch.organisations > 0 && toggleBranch(branch.id)}
        data-testid="book-org"
        data-name={branch.name}
      >
        <span
          className={`twist${branch.organisations > 0 ? '' : ' none'}`}
          onClick={event => {
            event.stopPropagation()
            toggleBranch(branch.id)
          }}
          onDoubleClick={event => event.stopPropagation()}
          data-testid="book-twist"
        >
          <Chevron size={15} />
        </span>
        <ConnectivityMark of={branch.connectivity} />
        <span className="cut grow" title={branch.name}>
          {branch.name}
        </span>
        <span className="note">{branch.people || ''}</span>
      </div>
    )
  }
  return (
    <div className="tree-row quiet" style={indent}>
      {row.kind === 'failed' ? (
        <>
          <CircleAlert size={15} />
          <span className="cut grow" title={sentence(row.error)}>
            {sentence(row.error)}
          </span>
          <Button size="small" onClick={() => void loadBelow(row.of)}>
            {t('common.tryAgain')}
          </Button>
        </>
      ) : (
        <>
          <span className="spin" /> {t('common.loading')}
        </>
      )}
    </div>
  )
}
