import { describe, expect, it } from 'vitest'
import { grave, type Policy, type Rules, shown, variable, wouldBe } from './policies.model'

const rules: Rules = {
  labels: ['sensitive'],
  kinds: { consultation: 'start', call: 'hand', group: 'hand', camera: 'hand' },
  layers: 'best',
}

function policy(kind: Policy['kind'], title: string): Policy {
  const { effective, why } = wouldBe(rules, { kind, label: 'internal' }, 'always')
  return { kind, subject: title, title, label: 'internal', mode: 'always', layers: '', effective, why, rev: 1 }
}

describe('policies of recording', () => {
  it('are listed by kind, then by title, as far as they have the words', () => {
    const items = [policy('camera', '长江大道 东口'), policy('group', '防汛二组'), policy('group', '防汛一组')]
    expect(shown(items, '', '').map(one => one.title)).toEqual(['防汛二组', '防汛一组', '长江大道 东口'])
    expect(shown(items, 'group', '一')).toHaveLength(1)
    expect(shown(items, '', '东口 长江')).toHaveLength(1)
    expect(shown(items, 'call', '')).toEqual([])
  })

  it('come to what the label says, then the room, then the kind; of cameras the label says nothing', () => {
    expect(wouldBe(rules, { kind: 'call', label: 'sensitive' }, 'never')).toEqual({ effective: 'always', why: 'label' })
    expect(wouldBe(rules, { kind: 'camera', label: 'sensitive' }, 'never')).toEqual({ effective: 'never', why: 'room' })
    expect(wouldBe(rules, { kind: 'consultation', label: 'public' }, null)).toEqual({ effective: 'start', why: 'kind' })
  })

  it('are asked about before something ends', () => {
    expect([grave('hand', 'never'), grave('never', 'never'), grave('hand', 'always'), grave('always', null)]).toEqual([
      true,
      false,
      false,
      false,
    ])
  })

  it('name the setting as the environment does', () => {
    expect(variable('recorder.calls')).toBe('COMMHUB_RECORDER__CALLS')
  })
})
