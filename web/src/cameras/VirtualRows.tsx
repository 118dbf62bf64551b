import { memo, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { windowOf } from './tree.model'

interface Props<Row extends { key: string }> {
  id: string
  className: string
  label: string
  role?: 'tree' | 'listbox'
  rows: readonly Row[]
  /** px, of every row */
  rowHeight: number
  /** The marked row is kept in sight; -1 for none. */
  at: number
  render(row: Row, index: number): ReactNode
  /** Called for every row that comes into sight. */
  onEdge(row: Row): void
}

/** A list of any length of which only the rows in sight are in the page. */
export function VirtualRows<Row extends { key: string }>(props: Props<Row>) {
  const { id, className, label, role = 'tree', rows, rowHeight, at, render, onEdge } = props
  const box = useRef<HTMLDivElement>(null)
  const [place, setPlace] = useState({ top: 0, height: 600 })
  useLayoutEffect(() => {
    const element = box.current
    if (!element) return
    const measure = () => setPlace({ top: element.scrollTop, height: element.clientHeight })
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    element.addEventListener('scroll', measure, { passive: true })
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', measure)
    }
  }, [])
  useEffect(() => {
    const element = box.current
    if (!element || at < 0) return
    const top = at * rowHeight
    if (top < element.scrollTop) element.scrollTop = top
    else if (top + rowHeight > element.scrollTop + element.clientHeight)
      element.scrollTop = top + rowHeight - element.clientHeight
  }, [at, rowHeight])
  const { from, to } = windowOf(rows.length, rowHeight, place.top, place.height)
  const drawn = rows.slice(from, to)
  useEffect(() => {
    for (const row of drawn) onEdge(row)
  })
  return (
    <div ref={box} id={id} className={className} role={role} aria-label={label} tabIndex={0}>
      <div style={{ height: rows.length * rowHeight, position: 'relative' }}>
        {drawn.map((row, i) => (
          <Drawn key={row.key} row={row} index={from + i} height={rowHeight} render={render as Drawing} />
        ))}
      </div>
    </div>
  )
}

type Drawing = (row: { key: string }, index: number) => ReactNode

/** While one scrolls only the rows that come into sight are drawn: of the others nothing has changed. */
const Drawn = memo(function Drawn(props: { row: { key: string }; index: number; height: number; render: Drawing }) {
  const { row, index, height, render } = props
  return (
    <div role="presentation" className="virtual-row" style={{ top: index * height, height }}>
      {render(row, index)}
    </div>
  )
})
