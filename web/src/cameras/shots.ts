import { useState } from 'react'
import { sentence } from '../app/command'
import { hub } from '../app/hub'
import type { Camera, Snapshot } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { say } from '../ui/overlay'

export interface Shot extends Snapshot {
  name: string
}

/** Snapshots since the page was opened, the newest first. They stay while one goes to another page and back. */
let taken: Shot[] = []

export function useShots() {
  const t = useT()
  const [shots, setShots] = useState(taken)
  const [busy, setBusy] = useState(false)
  const shoot = async (cameras: readonly Camera[]) => {
    setBusy(true)
    const results = await Promise.allSettled(
      cameras.map(async camera => ({ ...(await hub.cameras.snapshot(camera.id)), name: camera.name })),
    )
    setBusy(false)
    const done = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
    taken = [...done, ...taken].slice(0, 100)
    setShots(taken)
    const failure = results.find(result => result.status === 'rejected')
    if (!failure) say(t('side.shot', { name: done.map(shot => shot.name).join('、') }))
    else if (cameras.length === 1) say(sentence(failure.reason), true)
    else say(t('side.shotSome', { done: done.length, failed: results.length - done.length }), true)
  }
  return { shots, shoot, busy }
}
