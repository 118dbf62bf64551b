import { useCallback, useEffect, useState } from 'react'
import { hub, useHub } from '../app/hub'
import { rollApi } from './api'
import { type RollCall, readRoll, withRollEvent } from './rollcalls.model'

/** The roll call that goes on in a consultation, as it goes on. `learn` takes in what a command answered. */
export function useRoll(consultation: string): [RollCall | undefined, (roll: RollCall) => void] {
  const [roll, setRoll] = useState<RollCall>()
  const resyncs = useHub(state => state.resyncs)
  const load = useCallback(async () => {
    const page = await rollApi.listed({ consultation, state: 'live' })
    setRoll(page.items[0])
  }, [consultation])
  useEffect(() => {
    if (resyncs >= 0) void load().catch(() => undefined)
    return hub.onEvents(event => {
      if (!event.type.startsWith('rollcall.')) return
      const news = readRoll(event.data)
      if (news?.head.consultation_id !== consultation) return
      setRoll(known => {
        if (news.head.state === 'ended') return known?.id === news.head.id ? undefined : known
        const next = known && known.id === news.head.id ? withRollEvent(known, event.data) : undefined
        if (next === undefined) void load().catch(() => undefined)
        return next ?? known
      })
    })
  }, [consultation, load, resyncs])
  const learn = useCallback(
    (made: RollCall) =>
      setRoll(known => {
        if (made.state === 'ended') return undefined
        return known && known.id === made.id && known.rev >= made.rev ? known : made
      }),
    [],
  )
  return [roll, learn]
}
