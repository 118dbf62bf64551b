import { describe, expect, it } from 'vitest'
import { type PresenceState, Terminal, type TerminalSettings } from './terminal'

const settings: TerminalSettings = { id: '01J', kind: 'page', name: 'A', autoAnswer: 'never', dnd: false }

function made() {
  const said: Record<string, unknown>[] = []
  const told: { people: Record<string, PresenceState>; whole: boolean }[] = []
  let open = true
  const terminal = new Terminal(
    word => {
      if (open) said.push(word)
      return open
    },
    (people, whole) => told.push({ people, whole }),
  )
  return {
    terminal,
    said,
    told,
    cut: () => {
      open = false
    },
    mend: () => {
      open = true
      terminal.opened()
    },
  }
}

const ring = { type: 'instruction', id: 'i1', verb: 'ring', subject: 'call' }
const settled = () => new Promise(resolve => setTimeout(resolve, 0))

describe('terminal', () => {
  it('registers when it is configured, leads and the stream opens again', () => {
    const m = made()
    m.terminal.configure(settings)
    expect(m.said).toEqual([])
    m.terminal.lead()
    m.cut()
    m.mend()
    const word = { type: 'terminal', id: '01J', kind: 'page', name: 'A', auto_answer: 'never', dnd: false }
    expect(m.said).toEqual([word, word])
  })

  it('does an instruction once and acknowledges it each time it comes', async () => {
    const m = made()
    const rung: string[] = []
    m.terminal.on('ring', instruction => {
      rung.push(instruction.subject)
    })
    expect(m.terminal.heard(ring)).toBe(true)
    m.terminal.heard(ring)
    await settled()
    expect(rung).toEqual(['call'])
    expect(m.said).toEqual([
      { type: 'ack', id: 'i1', ok: true, reason: '' },
      { type: 'ack', id: 'i1', ok: true, reason: '' },
    ])
  })

  it('says why it does not', async () => {
    const m = made()
    m.terminal.heard(ring)
    const end = m.terminal.on('join', () => {
      throw new Error('no microphone')
    })
    m.terminal.heard({ ...ring, id: 'i2', verb: 'join' })
    end()
    m.terminal.heard({ ...ring, id: 'i3', verb: 'join' })
    await settled()
    expect(m.said.map(one => [one.id, one.ok, one.reason])).toEqual(
      expect.arrayContaining([
        ['i1', false, 'unsupported'],
        ['i2', false, 'no microphone'],
        ['i3', false, 'unsupported'],
      ]),
    )
  })

  it('gives an instruction to whom it is meant for, and what nobody takes to who takes everything', async () => {
    const m = made()
    const done: string[] = []
    m.terminal.on('join', one => void done.push(`call ${one.subject}`))
    const end = m.terminal.on(
      'join',
      one => void done.push(`group ${one.subject}`),
      one => one.data.kind === 'fixed',
    )
    const join = { ...ring, verb: 'join', data: { kind: 'fixed' } }
    m.terminal.heard(join)
    m.terminal.heard({ ...join, id: 'i2', subject: 'other', data: {} })
    end()
    m.terminal.heard({ ...join, id: 'i3' })
    await settled()
    expect(done).toEqual(['group call', 'call other', 'call call'])
  })

  it('watches what all pages together show, and says so again after a break', () => {
    const m = made()
    const first = m.terminal.watch({ orgs: ['b', 'a'], people: [] })
    m.terminal.watch({ orgs: ['a'], people: ['p'] })
    m.terminal.watch({ orgs: ['a'], people: [] })
    first()
    m.cut()
    m.mend()
    expect(m.said).toEqual([
      { type: 'watch', orgs: ['a', 'b'], people: [] },
      { type: 'watch', orgs: ['a', 'b'], people: ['p'] },
      { type: 'watch', orgs: ['a'], people: ['p'] },
      { type: 'watch', orgs: ['a'], people: ['p'] },
    ])
    expect(m.terminal.heard({ type: 'presence', people: { p: 'busy' }, whole: true })).toBe(true)
    expect(m.terminal.heard({ type: 'presence', person: 'p' })).toBe(false)
    expect(m.told).toEqual([{ people: { p: 'busy' }, whole: true }])
  })
})
