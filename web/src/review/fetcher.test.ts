import { afterEach, describe, expect, it, vi } from 'vitest'
import { Fetcher, GivenUp } from './fetcher'
import { learn, newIndex, showUntil, unread } from './reading.model'

afterEach(() => vi.unstubAllGlobals())

interface Asked {
  url: string
  range: string
  answer(response: Response): void
}

/** Requests stay open until they are answered. */
function network(): Asked[] {
  const asked: Asked[] = []
  vi.stubGlobal(
    'fetch',
    (url: string, init: { headers?: { Range?: string }; signal?: AbortSignal | null }) =>
      new Promise((resolve, reject) => {
        asked.push({ url, range: init.headers?.Range ?? '', answer: resolve })
        init.signal?.addEventListener('abort', () => reject(new Error('aborted')))
      }),
  )
  return asked
}

const turn = () => new Promise(resolve => setTimeout(resolve, 5))
const bytes = (n: number) =>
  new Response(new Uint8Array(n), { status: 206, headers: { 'Content-Range': `bytes 0-9/${n}` } })

describe('the fetcher', () => {
  it('asks for what several wait for in one request, the largest picture first', async () => {
    const asked = network()
    const fetcher = new Fetcher()
    for (const [file, weight] of [
      ['a', 10],
      ['b', 900],
      ['c', 100],
    ] as const)
      void fetcher.range(`/r/1/media/${file}/1.webm`, 5, 9, { priority: 0, weight }).catch(() => undefined)
    await vi.waitFor(() => expect(asked.length).toBe(1))
    expect(asked.map(one => decodeURIComponent(one.url))).toEqual([
      '/r/1/pieces?of=b/1.webm:5-9,c/1.webm:5-9,a/1.webm:5-9',
    ])
  })

  it('gathers who comes late while requests are on their way', async () => {
    const asked = network()
    const fetcher = new Fetcher()
    const want = (file: number) => fetcher.range(`/r/1/media/${file}/1.webm`, 0, 9, { priority: 0 })
    for (let n = 0; n < 3; n += 1) {
      void want(n)
      await vi.waitFor(() => expect(asked.length).toBe(n + 1))
    }
    const late = [want(3), want(4)]
    await turn()
    expect(asked.length).toBe(3)
    asked[0]?.answer(bytes(9))
    await vi.waitFor(() => expect(asked.length).toBe(4))
    expect(decodeURIComponent(asked[3]?.url ?? '')).toBe('/r/1/pieces?of=3/1.webm:0-9,4/1.webm:0-9')
    // What does not come together is asked for one by one.
    asked[3]?.answer(new Response(null, { status: 500 }))
    await vi.waitFor(() => expect(asked.length).toBe(6))
    for (const one of asked.slice(4)) one.answer(bytes(9))
    expect((await Promise.all(late)).map(one => one.size)).toEqual([9, 9])
  })

  it('lets what is urgent past what is fetched in advance, and forgets what is given up', async () => {
    const asked = network()
    const fetcher = new Fetcher()
    const stop = new AbortController()
    const ends: string[] = []
    const wish = { priority: 2, signal: stop.signal }
    for (let n = 0; n < 8; n += 1)
      fetcher.range(`/r/1/media/${n}/1.webm`, 0, 9, wish).then(
        () => ends.push('came'),
        error => ends.push(error instanceof GivenUp ? 'given up' : 'failed'),
      )
    await vi.waitFor(() => expect(asked.length).toBe(5))
    const urgent = fetcher.range('/r/1/media/u/1.webm', 0, 9, { priority: 0 })
    await turn()
    expect(asked.length).toBe(5)
    stop.abort()
    await vi.waitFor(() => expect(asked.length).toBe(6))
    expect(ends).toEqual(Array(8).fill('given up'))
    expect(asked.at(-1)?.url).toBe('/r/1/media/u/1.webm')
    asked.at(-1)?.answer(bytes(9))
    expect((await urgent).size).toBe(9)
    // All turns are free again.
    for (let n = 0; n < 5; n += 1)
      void fetcher.range(`/r/1/media/x${n}/1.webm`, 0, 9, { priority: 1 }).catch(() => undefined)
    await vi.waitFor(() => expect(asked.length).toBe(11))
  })
})

describe('how much is read to show a moment', () => {
  const head = { kind: 'webm', size: 40, first: 40, body: 0, scale: 1000, table: undefined } as const
  const index = newIndex({
    ...head,
    entries: [
      { time: 0, offset: 40 },
      { time: 2000, offset: 100_040 },
      { time: 4000, offset: 130_040 },
    ],
  })

  it('is up to the next beginning at most, and less of a long run', () => {
    expect(showUntil(index, 40, 1000, 200_000)).toBe(40 + 65_000)
    expect(showUntil(index, 40, 1999, 200_000)).toBeLessThanOrEqual(100_040)
    expect(showUntil(index, 40, 2000, 200_000)).toBe(100_040 + 9000)
  })

  it('is not known in the last run, behind what was read, or where beginnings are not', () => {
    expect(showUntil(index, 130_040, 4500, 200_000)).toBeUndefined()
    expect(showUntil(index, 90_000, 1000, 200_000)).toBeUndefined()
    expect(showUntil({ ...index, whole: false }, 40, 1000, 200_000)).toBeUndefined()
  })

  it('knows what was not read, also right before what was', () => {
    expect(unread(index, 1990)).toBe(true)
    learn(index, [{ time: 2000, offset: 100_040, size: 9, key: true, frames: [2000, 2450] }])
    expect([1990, 2000, 2500, 2600].map(at => unread(index, at))).toEqual([true, false, false, true])
    expect(unread({ ...index, whole: false }, 1990)).toBe(false)
  })
})
