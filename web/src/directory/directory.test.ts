import { describe, expect, it } from 'vitest'
import type { Person } from '../hub/types'
import {
  administers,
  type Branch,
  branchOf,
  type Contact,
  changes,
  chosenAfter,
  condensed,
  type Entry,
  freeSpeed,
  linesOf,
  noTree,
  ofPerson,
  ofSeat,
  pathOf,
  personOf,
  recentOf,
  type Seat,
  shownPresence,
  targetOf,
  targetsOf,
  toggled,
  top,
  treeKeyed,
  treeRows,
  withBelow,
  withoutClosed,
  withSpeed,
} from './directory.model'
import { fieldOf, missing, said, valuesOf } from './form.model'

const branch = (id: string, organisations = 0): Branch => ({
  id,
  name: id.toUpperCase(),
  name_en: '',
  short: id,
  kind: 'department',
  connectivity: 'full',
  organisations,
  people: 3,
})

const org = { id: 'o', name: 'O' }
const person = (id: string, online = false): Person => ({
  id,
  name: id,
  post: '科长',
  level: 5,
  org: { id: 'o', name: 'O', short: 'O' },
  online,
})

const seat = (sitting: string | undefined): Seat => ({
  id: 's1',
  org_id: 'o',
  place_id: null,
  serves_id: null,
  name: '坐席 01',
  level: 3,
  sitting: sitting === undefined ? null : { id: sitting, name: sitting, post: '', org_name: 'O', since: '' },
  rev: 1,
})

const number = (owner: Entry['owner']): Entry => ({
  kind: 'endpoint',
  id: 'e1',
  name: '手机',
  about: '138****1234',
  org,
  owner,
  endpoint: 'phone',
  online: false,
})

const tree = toggled(
  withBelow(withBelow(noTree, top, { state: 'ready', items: [branch('city', 2)], next: null }), 'city', {
    state: 'ready',
    items: [branch('a', 1), branch('b')],
    next: '200',
  }),
  'city',
)

describe('tree of organisations', () => {
  it('shows what is open, what is loading and that there is more', () => {
    expect(treeRows(noTree).map(row => row.kind)).toEqual(['loading'])
    const rows = treeRows(toggled(tree, 'a'))
    expect(rows.map(row => [row.kind, row.depth])).toEqual([
      ['org', 0],
      ['org', 1],
      ['loading', 2],
      ['org', 1],
      ['more', 1],
    ])
    expect(treeRows(toggled(tree, 'city')).map(row => row.key)).toEqual(['city'])
    const failed = withBelow(tree, 'city', { state: 'failed', error: new Error('x') })
    expect(treeRows(failed).map(row => row.kind)).toEqual(['org', 'failed'])
  })

  it('is walked by keys', () => {
    const rows = treeRows(tree)
    expect(treeKeyed(rows, 0, 'ArrowDown')).toEqual({ go: 1 })
    expect(treeKeyed(rows, 2, 'ArrowDown')).toEqual({ go: 2 })
    expect(treeKeyed(rows, 1, 'ArrowRight')).toEqual({ toggle: 'a' })
    expect(treeKeyed(rows, 0, 'ArrowRight')).toEqual({ go: 1 })
    expect(treeKeyed(rows, 2, 'ArrowLeft')).toEqual({ go: 0 })
    expect(treeKeyed(rows, 0, 'ArrowLeft')).toEqual({ toggle: 'city' })
    expect(treeKeyed(rows, -1, 'ArrowRight')).toBeUndefined()
  })

  it('knows what stands above, and forgets what is closed', () => {
    expect(pathOf(tree, 'a').map(one => one.id)).toEqual(['city', 'a'])
    expect(branchOf(tree, 'b')?.name).toBe('B')
    expect(Object.keys(withoutClosed(toggled(tree, 'city')).below)).toEqual([top])
  })
})

describe('who administers', () => {
  it('does so from his organisation down; what is not loaded the hub decides', () => {
    const admin = (org_id: string | null) => [{ role: 'admin', org_id }]
    const path = pathOf(tree, 'a')
    expect(administers(admin('city'), path)).toBe(true)
    expect(administers(admin(null), path)).toBe(true)
    expect(administers(admin('b'), path)).toBe(false)
    expect(administers([{ role: 'dispatcher', org_id: 'city' }], path)).toBe(false)
    expect(administers(admin('b'), [])).toBe(true)
  })
})

describe('entries', () => {
  it('mean whom one calls: of a number whose it is, of a seat the seat, of a place nobody', () => {
    expect(targetOf(ofPerson(person('p')))).toEqual({ person: 'p' })
    expect(targetOf(number({ kind: 'person', id: 'p', name: 'P' }))).toEqual({ person: 'p' })
    expect(targetOf(number({ kind: 'place', id: 'l', name: 'L' }))).toBeUndefined()
    expect(targetOf(ofSeat(seat(undefined), org))).toEqual({ seat: 's1' })
    const twice = [ofPerson(person('p')), number({ kind: 'person', id: 'p', name: 'P' }), ofSeat(seat('q'), org)]
    expect(targetsOf(twice)).toEqual([{ person: 'p' }, { seat: 's1' }])
    expect(personOf(ofSeat(seat('q'), org))).toBe('q')
  })

  it('show presence of the person, of a seat of whoever sits there', () => {
    expect(shownPresence(ofPerson(person('p', true)), {})).toBe('idle')
    expect(shownPresence(ofPerson(person('p')), { p: 'busy' })).toBe('busy')
    expect(shownPresence(ofSeat(seat('q'), org), { q: 'dnd' })).toBe('dnd')
    expect(shownPresence(ofSeat(seat(undefined), org), {})).toBe('offline')
    expect(shownPresence({ ...ofPerson(person('p')), kind: 'organisation' }, {})).toBeUndefined()
  })

  it('of a search leave out terminals of whom it has found', () => {
    const mine = number({ kind: 'person', id: 'p', name: 'P' })
    const other = { ...number({ kind: 'person', id: 'q', name: 'Q' }), id: 'e2' }
    expect(condensed([ofPerson(person('p')), mine, other]).map(one => one.id)).toEqual(['p', 'e2'])
  })

  it('are chosen and dropped, never oneself', () => {
    const [a, b] = [ofPerson(person('a')), ofPerson(person('b'))]
    expect(chosenAfter([a], b, 'me')).toEqual([a, b])
    expect(chosenAfter([a, b], a, 'me')).toEqual([b])
    expect(chosenAfter([a], b, 'b')).toEqual([a])
  })

  it('of recent calls are each once, the newest first, without oneself', () => {
    const leg = (id: string) => ({ person: { id, name: id, org_name: 'O' } })
    const calls = [{ legs: [leg('me'), leg('b')] }, { legs: [leg('a'), leg('b'), leg('me')] }]
    expect(recentOf(calls, 'me').map(one => one.id)).toEqual(['b', 'a'])
    expect(recentOf(calls, 'me', 1).map(one => one.id)).toEqual(['b'])
  })

  it('get the first speed key that is free', () => {
    const kept = (speed: number | null) => ({ ...ofPerson(person('p')), speed }) as Contact
    expect(freeSpeed([kept(1), kept(3), kept(null)])).toBe(2)
    const [first, other] = [kept(12), { ...kept(3), id: 'other' }]
    expect(withSpeed([other], [first], '12')).toEqual([first, other])
    expect(withSpeed([other, first], [first], '12')).toEqual([first, other])
    expect(withSpeed([other], [first], '123')).toEqual([other])
    expect(freeSpeed(Array.from({ length: 99 }, (_, i) => kept(i + 1)))).toBeNull()
  })
})

describe('forms and files', () => {
  it('say only what was changed, and name what is missing', () => {
    const record = { name: '李', post: '科长', level: 5, org_id: 'o', rev: 7 }
    const values = valuesOf('people', record)
    expect(values).toEqual({ name: '李', post: '科长', level: 5, org_id: 'o' })
    expect(changes(values, { ...values, post: '局长' })).toEqual({ post: '局长' })
    expect(missing('people', { ...values, name: ' ' })).toEqual(['name'])
    const fresh = valuesOf('seats', undefined, { org_id: 'o' })
    expect(fresh).toEqual({ name: '', level: 9, org_id: 'o', serves_id: null })
    expect(said(fresh)).toEqual({ level: 9, org_id: 'o' })
    expect(fieldOf('body.name')).toBe('name')
  })

  it('show the wrong rows in the order of the file', () => {
    const errors = [
      { line: 9, text: 'x' },
      { line: 2, text: 'y' },
      { line: 9, text: 'z' },
    ]
    expect(linesOf(errors)).toEqual([
      [2, [errors[1]]],
      [9, [errors[0], errors[2]]],
    ])
  })
})
