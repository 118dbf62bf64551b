import { type UseQueryResult, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { hub } from '../app/hub'
import type { HubEvent, RecordingDetail } from '../hub/types'
import { firstPause, grown, nextPause, sinceOf, wentOn } from './growing.model'

/** ms; the places of older files are reckoned again while a recording runs, by little: now and then all of it is asked. */
const wholeEvery = 300_000

/** One recording; while it runs it is followed, and only what is new is asked for. */
export function useRecording(id: string): UseQueryResult<RecordingDetail> {
  const client = useQueryClient()
  const pause = useRef(firstPause)
  const whole = useRef(Number.NEGATIVE_INFINITY)
  const query = useQuery({
    queryKey: ['recording', id],
    queryFn: async () => {
      const known = client.getQueryData<RecordingDetail>(['recording', id])
      const now = performance.now()
      const since = known?.state === 'recording' && now - whole.current < wholeEvery ? sinceOf(known) : 0
      let answer = await hub.api.recording(id, since)
      // What it came to in the end is asked for once more, as a whole.
      if (since > 0 && answer.state !== 'recording') answer = await hub.api.recording(id)
      const partly = since > 0 && answer.state === 'recording'
      if (!partly) whole.current = now
      if (!known) return answer
      const next = grown(known, answer, partly ? since : 0)
      pause.current = nextPause(pause.current, wentOn(known, next))
      return next
    },
    staleTime: Number.POSITIVE_INFINITY,
    // `grown` keeps what stayed the same: to compare a day's facts once more would cost more than they do.
    structuralSharing: false,
    // Its newest media are found without asking for this.
    refetchInterval: running => (running.state.data?.state === 'recording' ? pause.current : false),
  })
  const running = query.data?.state === 'recording'
  const of = query.data?.consultation_id
  useEffect(() => {
    if (!running) return
    return hub.onEvents(event => {
      if (!concerns(event, id, of)) return
      pause.current = firstPause
      void client.invalidateQueries({ queryKey: ['recording', id] })
    })
  }, [client, running, id, of])
  return query
}

/** It was paused, goes on, has ended. */
function concerns(event: HubEvent, recording: string, consultation: string | undefined): boolean {
  if (!event.type.includes('recording')) return false
  const data = event.data as { recording_id?: unknown } | null
  return (
    event.subject === recording ||
    data?.recording_id === recording ||
    (!!consultation && event.subject === consultation)
  )
}
