import { useEffect, useRef, useState } from 'react'
import { useSettled } from '../app/command'
import { useHub } from '../app/hub'
import { navigate, useAddress } from '../app/router'
import { useKeys } from '../ui/keys'
import { orgEntry, type Shelf, useListed, useLiveBook, useShownPresence } from './book'
import { Card } from './Card'
import { chosenAfter, type Entry } from './directory.model'
import { List } from './List'
import { Side } from './Side'
import './entries.css'
import './directory.css'

/** The address book: where people are, whether they are there, and how to reach them. */
export default function Directory() {
  useLiveBook()
  const me = useHub(state => state.session?.person)
  const [shelf, setShelf] = useState<Shelf>({ at: 'org', id: me?.org.id ?? '', name: me?.org.name ?? '' })
  const [q, setQ] = useState('')
  const [shown, setShown] = useState<Entry>()
  const [chosen, setChosen] = useState<Entry[]>([])
  /** On a phone one of the three is seen. */
  const [pane, setPane] = useState<'side' | 'list' | 'card'>('side')
  const asked = new URLSearchParams(useAddress()).get('q')
  // `/directory?q=…`: somebody was looked for elsewhere.
  useEffect(() => {
    if (!asked) return
    setQ(asked)
    setPane('list')
    navigate('/directory', true)
  }, [asked])
  const wanted = useSettled(q.trim(), 120)
  const listed = useListed(shelf, wanted)
  const presence = useShownPresence(shelf, wanted, listed.entries)
  const searchBox = useRef<HTMLInputElement>(null)
  useKeys('directory', { bookSearch: () => searchBox.current?.focus() })
  const current = listed.entries.find(one => one.id === shown?.id) ?? shown
  const go = (to: Shelf) => {
    setShelf(to)
    setQ('')
    setPane('list')
    setShown(to.at === 'org' ? orgEntry(to.id) : undefined)
  }
  const show = (entry: Entry) => {
    setShown(entry)
    setPane('card')
  }
  return (
    <div className="book" data-testid="directory" data-pane={pane}>
      <Side
        shelf={shelf}
        q={q}
        onQ={text => {
          setQ(text)
          if (text) setPane('list')
        }}
        searchBox={searchBox}
        onShelf={go}
      />
      <List
        shelf={shelf}
        q={wanted}
        listed={listed}
        presence={presence}
        shown={current}
        chosen={chosen}
        onShow={show}
        onChoose={entry => setChosen(before => chosenAfter(before, entry, me?.id ?? ''))}
        onClear={() => setChosen([])}
        onBack={() => setPane('side')}
      />
      <Card
        key={current?.id ?? ''}
        entry={current}
        presence={presence}
        onShow={show}
        onBack={() => setPane('list')}
        onGone={() => setShown(undefined)}
      />
    </div>
  )
}
