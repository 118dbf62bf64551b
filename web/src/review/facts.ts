import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useState } from 'react'
import { sentence, useCommand } from '../app/command'
import type { RecordingDetail } from '../hub/types'
import { type NewMark, reviewApi } from './api'
import { type Lanes, type Mark, merged } from './shapes.model'

/** A running recording is asked so often. */
const askEvery = 2000

/** Events nobody needs to read: every track that opened or closed. */
const unread = new Set(['published', 'unpublished'])

export interface Facts {
  lanes: Lanes | undefined
  /** Why there are none. */
  problem: string | undefined
}

/** What happened, as it is shown beside the pictures; of a running recording more and more. */
export function useFacts(recording: RecordingDetail): Facts {
  const { id } = recording
  const [lanes, setLanes] = useState<Lanes>()
  const [problem, setProblem] = useState<string>()
  useEffect(() => {
    let here = true
    let timer: ReturnType<typeof setTimeout> | undefined
    let after = 0
    const ask = async () => {
      try {
        const more = await reviewApi.lanes(id, after)
        if (!here) return
        after = more.next
        setLanes(known => merged(known, { ...more, items: more.items.filter(item => !unread.has(item.type)) }))
        setProblem(undefined)
        if (more.more || more.running) timer = setTimeout(ask, more.more ? 0 : askEvery)
      } catch (error) {
        if (!here) return
        setProblem(sentence(error))
        timer = setTimeout(ask, 5000)
      }
    }
    void ask()
    return () => {
      here = false
      clearTimeout(timer)
    }
  }, [id])
  return { lanes, problem }
}

export interface MarkDesk {
  marks: Mark[]
  pending: boolean
  /** The id of the one made; undefined when it was refused, which was said. */
  add(mark: NewMark): Promise<string | undefined>
  change(mark: Mark, change: Partial<NewMark>): Promise<boolean>
  remove(mark: Mark): Promise<boolean>
}

const noMarks: Mark[] = []

/** Marks and comments; `rev` grows when somebody else changed them. */
export function useMarks(recording: string, rev: number): MarkDesk {
  const client = useQueryClient()
  const query = useQuery({
    queryKey: ['marks', recording, rev],
    queryFn: () => reviewApi.marks(recording),
    placeholderData: before => before,
  })
  const [run, pending] = useCommand()
  const act = useCallback(
    async (what: () => Promise<unknown>) => {
      const done = await run(what)
      await client.invalidateQueries({ queryKey: ['marks', recording] })
      return done
    },
    [run, client, recording],
  )
  const marks = query.data?.items ?? noMarks
  return useMemo(
    () => ({
      marks,
      pending,
      add: async body => {
        let made: Mark | undefined
        await act(async () => {
          made = await reviewApi.mark(recording, body)
        })
        return made?.id
      },
      change: (mark, body) => act(() => reviewApi.change(recording, mark, body)),
      remove: mark => act(() => reviewApi.remove(recording, mark)),
    }),
    [marks, pending, act, recording],
  )
}

/** Words in all recordings the reader may see; nothing is asked for without words. */
export function useFound(q: string) {
  return useInfiniteQuery({
    queryKey: ['found', q],
    queryFn: ({ pageParam }) => reviewApi.search(q, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: page => page.next ?? undefined,
    enabled: q !== '',
    // What was recorded a moment ago is found a moment later.
    refetchInterval: query => (query.state.data?.pages.at(-1)?.behind ? 3000 : false),
    placeholderData: before => before,
  })
}
