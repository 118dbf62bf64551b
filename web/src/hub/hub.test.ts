import { describe, expect, it } from 'vitest'
import { Hub } from './hub'
import { TestPlatform } from './testing'
import type { Consultation, Session } from './types'
import { isUlid, ulid } from './ulid'

const session = {
  person: { id: 'P1', name: '李明', account: 'li', post: null, level: null, org: { id: 'O1', name: '市水务局' } },
  roles: [],
  permissions: ['consultation.create'],
  csrf: 'c5rf',
  city: null,
  notice_version: null,
} satisfies Session

function consultation(id: string, rev: number, more: Partial<Consultation> = {}): Consultation {
  return {
    id,
    code: `HS-${id}`,
    title: `会商 ${id}`,
    state: 'live',
    label: 'internal',
    host: { id: 'P9', name: '王', org_name: '市防汛指挥部' },
    locked: false,
    control: {
      rev: 0,
      chair: '',
      acting: '',
      co_chairs: [],
      muted: false,
      unmute: true,
      speakers: [],
      order: 'rank',
      hands: [],
      lobby: 'off',
      layout: '',
      spotlight: '',
      broadcast: '',
      ends_at: null,
      sides: [],
      allowed: [],
    },
    recording: { state: 'off', since: null, reason: null, reason_en: null },
    created_at: '2026-07-13T15:00:00Z',
    ended_at: null,
    rev,
    organisations: [],
    people: [],
    present: [],
    cameras: [],
    recordings: [],
    ...more,
  }
}

async function signedIn(live: Consultation[] = []) {
  const platform = new TestPlatform()
  platform.time = Date.parse('2026-07-13T15:42:00Z')
  platform.answer = url => {
    if (url.startsWith('/api/v1/session')) return { status: 200, body: session }
    if (url.startsWith('/api/v1/consultations?')) return { status: 200, body: { items: live, next: null } }
    return { status: 404, body: { code: 'not_found', detail: '没有这场会商。' } }
  }
  const hub = new Hub(platform)
  await hub.resume()
  platform.says({ type: 'hello', seq: 10 })
  await settle()
  let seq = 10
  const event = (type: string, data: unknown, at = new Date(platform.time).toISOString()) => {
    seq += 1
    platform.says({ type: 'event', event: { id: `${seq}`, seq, type, version: 1, at, subject: null, data } })
  }
  return { platform, hub, event, state: () => hub.store.getState() }
}

async function settle() {
  for (let i = 0; i < 20; i += 1) await Promise.resolve()
}

describe('hub', () => {
  it('signs in by the cookie and loads what is live', async () => {
    const s = await signedIn([consultation('A', 1, { may: ['join'] })])
    expect(s.state().session?.person.name).toBe('李明')
    expect(s.state().loaded).toBe(true)
    expect(s.state().consultations.A?.may).toEqual(['join'])
    expect(s.hub.can('consultation.create')).toBe(true)
    expect(s.hub.can('audit.list')).toBe(false)
  })

  it('sends the CSRF token, the language and the revision with a command', async () => {
    const s = await signedIn()
    await expect(s.hub.api.lock('A', 3, true)).rejects.toMatchObject({
      status: 404,
      code: 'not_found',
      message: '没有这场会商。',
    })
    const { url, request } = s.platform.requests.at(-1) ?? {}
    expect(url).toBe('/api/v1/consultations/A')
    expect(request?.method).toBe('PATCH')
    expect(request?.headers).toMatchObject({ 'X-CSRF-Token': 'c5rf', 'Accept-Language': 'zh-CN', 'If-Match': '"3"' })
    expect(request?.body).toBe('{"locked":true}')
  })

  it('gives a creation a key of its own each time', async () => {
    const s = await signedIn()
    const make = () =>
      s.hub.api.create({ title: 'x', label: 'internal', organisations: [], people: [], record: false }).catch(() => 0)
    await make()
    const key = s.platform.requests.at(-1)?.request.headers['Idempotency-Key']
    expect(isUlid(key ?? '')).toBe(true)
  })

  it('escapes what goes into an address', async () => {
    const s = await signedIn()
    await s.hub.api.remove('A', 'P1:T/1?').catch(() => 0)
    expect(s.platform.requests.at(-1)?.url).toBe('/api/v1/consultations/A/participants/P1%3AT%2F1%3F')
  })

  it('is signed out when any answer says so', async () => {
    const s = await signedIn()
    s.platform.answer = () => ({ status: 401, body: { code: 'signed_out' } })
    await s.hub.api.cameras('').catch(() => 0)
    expect(s.state().session).toBeNull()
    expect(s.platform.socket.closed).toBe(true)
  })

  it('calls no answer offline and keeps the session', async () => {
    const s = await signedIn()
    s.platform.answer = () => ({ status: 0 })
    await expect(s.hub.api.cameras('')).rejects.toMatchObject({ status: 0, code: 'offline' })
    expect(s.state().session).not.toBeNull()
  })

  it('uses the server clock when ours is far off', async () => {
    const s = await signedIn()
    const ahead = s.platform.time + 90_000
    s.platform.answer = () => ({ status: 200, body: {}, date: new Date(ahead).toUTCString() })
    await s.hub.api.cameras('')
    expect(Math.abs(s.hub.now() - ahead)).toBeLessThan(1000)
  })
})

describe('events', () => {
  it('keeps what I may do when an event brings the rest', async () => {
    const s = await signedIn([consultation('A', 1, { may: ['join', 'lock'] })])
    s.event('consultation.locked', { consultation: consultation('A', 2, { locked: true }) })
    expect(s.state().consultations.A).toMatchObject({ locked: true, may: ['join', 'lock'] })
  })

  it('does not go back to an older revision', async () => {
    const s = await signedIn([consultation('A', 5)])
    s.event('consultation.changed', { consultation: consultation('A', 4, { title: '旧' }) })
    expect(s.state().consultations.A?.title).toBe('会商 A')
  })

  it('rings when I am invited, and only me', async () => {
    const s = await signedIn()
    const by = { name: '王', org_name: '市防汛指挥部' }
    s.event('consultation.invited', { consultation: consultation('A', 1), people: ['P2'], by })
    expect(s.state().rings).toEqual([])
    s.event('consultation.invited', { consultation: consultation('A', 2), people: ['P1'], by })
    expect(s.state().rings).toMatchObject([{ by, consultation: { id: 'A' } }])
  })

  it('does not ring for an invitation of an hour ago', async () => {
    const s = await signedIn()
    const at = new Date(s.platform.time - 3_600_000).toISOString()
    s.event('consultation.invited', { consultation: consultation('A', 1), people: ['P1'], by: {} }, at)
    expect(s.state().rings).toEqual([])
  })

  it('stops ringing when I join elsewhere or the consultation ends', async () => {
    const s = await signedIn()
    for (const id of ['A', 'B'])
      s.event('consultation.invited', { consultation: consultation(id, 1), people: ['P1'], by: {} })
    const me = { identity: 'P1:T2', name: '李', org_name: '', kind: 'person' as const, joined_at: '' }
    s.event('consultation.joined', { consultation: consultation('A', 2, { present: [me] }) })
    s.event('consultation.ended', { consultation: consultation('B', 2, { state: 'ended' }) })
    expect(s.state().rings).toEqual([])
  })

  it('can put a ring off', async () => {
    const s = await signedIn()
    s.event('consultation.invited', { consultation: consultation('A', 1), people: ['P1'], by: {} })
    s.hub.postponeRing('A', 60_000)
    expect(s.state().rings[0]?.until).toBe(s.platform.time + 60_000)
    s.hub.dismissRing('A')
    expect(s.state().rings).toEqual([])
  })

  it('learns the state of a camera', async () => {
    const s = await signedIn()
    const reason = { code: 'no_answer', text: '摄像机没有应答' }
    s.event('camera.state', { camera: { id: 'C1', state: 'failed', reason } })
    expect(s.state().cameras.C1).toEqual({ state: 'failed', reason })
  })

  it('forgets what ended while we were away, keeps what came while loading', async () => {
    const s = await signedIn([consultation('A', 1)])
    s.platform.answer = () => ({ status: 200, body: { items: [], next: null } })
    s.platform.says({ type: 'resync' })
    s.event('consultation.created', { consultation: consultation('B', 1) })
    await settle()
    expect(Object.keys(s.state().consultations)).toEqual(['B'])
  })

  it('says when what parts of the page keep has to be loaded again', async () => {
    const s = await signedIn()
    let loads = 0
    const end = s.hub.whenStale(() => {
      loads += 1
    })
    s.event('consultation.created', { consultation: consultation('B', 1) })
    expect(loads).toBe(0)
    s.platform.says({ type: 'resync' })
    await settle()
    expect(loads).toBe(1)
    end()
    s.platform.says({ type: 'resync' })
    await settle()
    expect(loads).toBe(1)
  })
})

describe('ulid', () => {
  it('has the time in front and 80 bits behind', () => {
    const made = ulid(1_469_918_176_385, new Uint8Array(10).fill(255))
    expect(made).toBe('01ARYZ6S41ZZZZZZZZZZZZZZZZ')
    expect(isUlid(made)).toBe(true)
    expect(isUlid('01ARYZ6S41IIIIIIIIIIIIIIII')).toBe(false)
  })
})
