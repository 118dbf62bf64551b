import { describe, expect, it } from 'vitest'
import type { Control, Waiting } from '../hub/types'
import {
  controlOf,
  groupsOf,
  handPlace,
  layoutOf,
  minutesLeft,
  nothing,
  readers,
  roleOf,
  sideOf,
  silenced,
  spotlit,
} from './control.model'

const led = (more: Partial<Control>): Control => ({ ...nothing, chair: 'zhou', ...more })
const hand = (person: string) => ({ person, name: person, org_name: '', level: 5, at: '' })

describe('who chairs', () => {
  it('is told apart from who leads meanwhile and who helps', () => {
    const control = led({ co_chairs: ['li', 'wang'], acting: 'wang' })
    expect(['zhou', 'li', 'wang', 'zhao'].map(one => roleOf(control, one))).toEqual(['chair', 'co_chair', 'acting', ''])
  })
  it('is nobody in an event that says nothing of it', () => {
    expect(controlOf({} as { control: Control })).toBe(nothing)
  })
})

describe('who is not heard', () => {
  it('may unmute himself, unless the chair said otherwise', () => {
    expect(silenced(led({ muted: true }), 'li')).toBeUndefined()
    const hard = led({ muted: true, unmute: false, speakers: ['wang'], co_chairs: ['zhao'] })
    expect(['zhou', 'li', 'wang', 'zhao'].map(one => silenced(hard, one))).toEqual([
      undefined,
      'muted',
      undefined,
      undefined,
    ])
    const apart = led({ ...hard, sides: [{ id: 's', title: 'S', people: ['li', 'sun'], listen: false }] })
    expect(silenced(apart, 'li')).toBeUndefined()
    expect(sideOf(apart, 'sun')?.id).toBe('s')
  })
  it('is everybody but the one who is broadcast, the chair too', () => {
    const control = led({ broadcast: 'li' })
    expect(['zhou', 'li'].map(one => silenced(control, one))).toEqual(['broadcast', undefined])
  })
})

describe('what everybody sees', () => {
  const tiles = ['li:1/camera', 'li:1/screen', 'cam:bridge/camera'].map(id => ({
    id,
    identity: id.split('/')[0] ?? '',
  }))
  it('is the spotlight, a shared screen first; who is broadcast before it', () => {
    expect(spotlit(led({ spotlight: 'li:1' }), tiles)).toBe('li:1/screen')
    expect(spotlit(led({ spotlight: 'cam:bridge' }), tiles)).toBe('cam:bridge/camera')
    expect(spotlit(led({ spotlight: 'cam:bridge', broadcast: 'li' }), tiles)).toBe('li:1/screen')
    expect(spotlit(led({ spotlight: 'gone:1' }), tiles)).toBeUndefined()
    expect(spotlit(led({}), tiles)).toBeUndefined()
  })
  it('follows the chair, else one likes it as one likes it', () => {
    expect(layoutOf(led({}), undefined, 'grid')).toBe('grid')
    expect(layoutOf(led({ layout: 'grid' }), undefined, 'speaker')).toBe('grid')
    expect(layoutOf(led({ layout: 'grid', broadcast: 'li' }), 'li:1/camera', 'grid')).toBe('speaker')
    expect(layoutOf(led({ spotlight: 'li:1' }), 'li:1/camera', 'grid')).toBe('speaker')
    expect(layoutOf(led({ spotlight: 'gone:1' }), undefined, 'grid')).toBe('grid')
  })
})

it('a line of the chat goes to whoever would hear it', () => {
  const side = (people: string[], listen: boolean) => ({ id: people.join(), title: '', people, listen })
  const control = led({ sides: [side(['li', 'wang'], false), side(['zhao'], true)] })
  const all = ['zhou:1', 'li:1', 'wang:1', 'zhao:1', 'chen:1']
  const to = (me: string) =>
    readers(
      control,
      me,
      all.filter(one => one !== me),
    )
  expect(to('li:1')).toEqual(['li:1', 'wang:1'])
  expect(to('zhao:1')).toEqual(['zhao:1'])
  expect(to('zhou:1')).toEqual(['zhou:1', 'zhao:1', 'chen:1'])
  expect(readers(led({}), 'li:1', all)).toBeUndefined()
})

it('hands have places, and one that is down has none', () => {
  const control = led({ hands: [hand('wang'), hand('li')] })
  expect(['wang', 'li', 'zhao'].map(one => handPlace(control, one))).toEqual([1, 2, 0])
})

it('minutes until the end are rounded up', () => {
  const end = led({ ends_at: '2026-01-01T10:05:00Z' })
  const at = (time: string) => minutesLeft(end, Date.parse(`2026-01-01T${time}Z`))
  expect([at('10:00:00'), at('10:00:01'), at('10:04:59'), at('10:05:00'), at('10:06:00')]).toEqual([5, 5, 1, 0, -1])
  expect(minutesLeft(led({}), 0)).toBeUndefined()
})

it('those who wait are let in by their posts and organisations', () => {
  const one = (post: string, org_id: string) => ({ post, org_id, org_name: `单位 ${org_id}` }) as Waiting
  const { posts, organisations } = groupsOf([one('值班长', 'a'), one('', 'a'), one('值班长', ''), one('局长', 'b')])
  expect(posts).toHaveLength(2)
  expect(organisations).toEqual([
    { id: 'a', name: '单位 a' },
    { id: 'b', name: '单位 b' },
  ])
})
