import { describe, expect, it } from 'vitest'
import type { RecordedTrack, RecordingDetail, Segment } from '../hub/types'
import { firstPause, grown, nextPause, sinceOf, wentOn } from './growing.model'

type Speaker = RecordingDetail['speakers'][number]
type Gap = RecordingDetail['gaps'][number]

function segment(track: string, file: string, start: number, duration: number): Segment {
  return {
    url: `/m/${track}/${file}`,
    mime: 'video/webm',
    start_ms: start,
    end_ms: start + duration,
    duration_ms: duration,
    bytes: duration,
  }
}

function track(id: string, ...segments: Segment[]): RecordedTrack {
  return { id, identity: `P${id}`, name: '', org_name: '', kind: 'video', source: 'camera', codec: 'vp8', segments }
}

function speaker(identity: string, ...spans: [number, number][]): Speaker {
  return { identity, name: '', org_name: '', spans }
}

function gap(of: string, start: number, end: number): Gap {
  return { track: of, start_ms: start, end_ms: end, reason: 'loss' }
}

function recording(parts: Partial<RecordingDetail>): RecordingDetail {
  return {
    id: 'R',
    consultation_id: 'C',
    title: '',
    code: '',
    label: 'public',
    started_at: '2026-01-01T00:00:00Z',
    ended_at: null,
    duration_ms: 0,
    state: 'recording',
    reason: null,
    track_count: 0,
    people: [],
    org_name: '',
    tracks: [],
    speakers: [],
    events: [],
    gaps: [],
    ...parts,
  }
}

/** What the hub answers to `since_ms`: `_parts` of commhub/recordings/review.py. */
function asked(all: RecordingDetail, since: number): RecordingDetail {
  return {
    ...all,
    tracks: all.tracks.map(one => ({
      ...one,
      segments: one.segments.filter(s => s.start_ms + s.duration_ms >= since),
    })),
    speakers: all.speakers.map(one => ({ ...one, spans: one.spans.filter(span => span[1] >= since) })),
    events: all.events.filter(one => one.at_ms >= since),
    gaps: all.gaps.filter(one => one.end_ms >= since),
  }
}

describe('a recording that grows', () => {
  const known = recording({
    duration_ms: 400_000,
    tracks: [
      track('1', segment('1', '1.webm', 0, 300_000), segment('1', '2.webm.part', 300_000, 100_000)),
      track('2', segment('2', '1.webm', 0, 90_000)),
    ],
    speakers: [speaker('P1', [1000, 5000], [380_000, 399_000])],
    gaps: [gap('2', 90_000, 95_000), gap('2', 350_000, 400_000)],
  })

  it('is asked from before everything that may still change', () => {
    expect(sinceOf(known)).toBe(370_000)
    const stalled = { ...known, tracks: [...known.tracks, track('3', segment('3', '1.webm.part', 100_000, 20_000))] }
    expect(sinceOf(stalled)).toBe(90_000)
    expect(sinceOf(recording({}))).toBe(0)
  })

  it('has after an answer what the whole would have said', () => {
    const now = recording({
      duration_ms: 460_000,
      tracks: [
        track(
          '1',
          segment('1', '1.webm', 0, 300_000),
          segment('1', '2.webm', 300_000, 120_000),
          segment('1', '3.webm.part', 420_000, 40_000),
        ),
        track('2', segment('2', '1.webm', 0, 90_000), segment('2', '2.webm.part', 405_000, 55_000)),
        track('4', segment('4', '1.webm.part', 410_000, 50_000)),
      ],
      // The one that was over went on: what is nearly one becomes one.
      speakers: [speaker('P1', [1000, 5000], [380_000, 420_000]), speaker('P4', [430_000, 440_000])],
      gaps: [gap('2', 90_000, 95_000), gap('2', 350_000, 405_000), gap('1', 455_000, 460_000)],
      events: [{ at_ms: 430_000, type: 'chat', identity: null, name: null, text: '到', data: null }],
    })
    const since = sinceOf(known)
    const answer = asked(now, since)
    expect(answer.tracks[0]?.segments.length).toBe(2)
    expect(answer.speakers[0]?.spans.length).toBe(1)
    expect(grown(known, answer, since)).toEqual(now)
  })

  it('loses what the recorder lost, and takes back nothing that was over', () => {
    const now = {
      ...known,
      tracks: [track('1', segment('1', '1.webm', 0, 300_000)), known.tracks[1] as RecordedTrack],
    }
    expect(grown(known, asked(now, 370_000), 370_000).tracks[0]?.segments.length).toBe(1)
    expect(grown(known, asked(recording({ ...now, gaps: [] }), 370_000), 370_000).gaps).toEqual([
      gap('2', 90_000, 95_000),
    ])
  })

  it('keeps the objects of what stayed the same', () => {
    const tracks = [
      track('1', segment('1', '1.webm', 0, 300_000), segment('1', '2.webm.part', 300_000, 102_000)),
      track('2', segment('2', '1.webm', 0, 90_000)),
    ]
    const mark = { name: '何', post: '', org_name: '市局', at: '2026-01-01T00:00:00Z' }
    const before = { ...known, watermark: mark }
    const answer = asked({ ...known, tracks, watermark: { ...mark, at: '2026-01-01T00:01:00Z' } }, 370_000)
    const after = grown(before, answer, 370_000)
    expect(after.tracks[0]).not.toBe(known.tracks[0])
    expect(after.tracks[1]).toBe(known.tracks[1])
    expect(after.speakers).toBe(known.speakers)
    expect(after.gaps).toBe(known.gaps)
    expect(after.watermark).toBe(mark)
    const other = grown(before, { ...answer, watermark: { ...mark, name: '李' } }, 370_000)
    expect(other.watermark?.name).toBe('李')
  })

  it('takes a whole answer as it is', () => {
    const whole = recording({ state: 'complete', tracks: [track('2', segment('2', '1.webm', 3, 90_000))] })
    expect(grown(known, whole, 0)).toEqual(whole)
  })

  it('grows over any sequence of answers to what the whole says', () => {
    // Two tracks whose files end at odd moments, one of them with pauses; asked at uneven times.
    let seed = 5
    const dice = (most: number) => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31
      return seed % most
    }
    const at = (now: number): RecordingDetail => {
      const files = (id: string, long: number, pause: number) =>
        Array.from({ length: Math.ceil(now / long) }, (_, i) => {
          const end = Math.min(now, (i + 1) * long - pause)
          const open = end === now
          return segment(id, open ? `${i}.webm.part` : `${i}.webm`, i * long, Math.max(0, end - i * long))
        })
      return recording({
        duration_ms: now,
        tracks: [track('1', ...files('1', 61_000, 0)), track('2', ...files('2', 17_000, 2500))],
        speakers: [
          speaker(
            'P1',
            ...Array.from({ length: Math.ceil(now / 9000) }, (_, i): [number, number] => [
              i * 9000,
              Math.min(now, i * 9000 + 7000),
            ]),
          ),
        ],
        gaps: Array.from({ length: Math.floor(now / 23_000) }, (_, i) =>
          gap('2', (i + 1) * 23_000 - 800, (i + 1) * 23_000 - 100),
        ),
      })
    }
    let now = 100
    let seen = at(now)
    for (let n = 0; n < 200; n += 1) {
      now += 200 + dice(9000)
      const since = sinceOf(seen)
      seen = grown(seen, asked(at(now), since), since)
      expect(seen).toEqual(at(now))
    }
    expect(asked(at(now), sinceOf(seen)).tracks[1]?.segments.length).toBeLessThan(8)
  })
})

describe('how often it is asked', () => {
  it('is asked less often while nothing but time goes on', () => {
    const before = recording({
      duration_ms: 1000,
      tracks: [track('1', segment('1', '1.webm', 0, 900))],
      gaps: [gap('1', 900, 1000)],
    })
    const paused = { ...before, duration_ms: 3000, gaps: [gap('1', 900, 3000)] }
    expect(wentOn(before, paused)).toBe(false)
    expect(wentOn(before, { ...before, tracks: [track('1', segment('1', '1.webm', 0, 1100))] })).toBe(true)
    expect(
      wentOn(before, { ...before, tracks: [...before.tracks, track('2', segment('2', '1.webm.part', 800, 0))] }),
    ).toBe(true)
    expect(wentOn(before, { ...before, state: 'complete' })).toBe(true)
    const waits = [firstPause]
    for (let n = 0; n < 4; n += 1) waits.push(nextPause(waits.at(-1) ?? 0, false))
    expect(waits).toEqual([1500, 3000, 6000, 6000, 6000])
    expect(nextPause(6000, true)).toBe(1500)
  })
})
