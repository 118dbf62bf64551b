import { Ellipsis } from 'lucide-react'
import { useState } from 'react'
import { useCommand } from '../app/command'
import { hub, useCan } from '../app/hub'
import type { CameraDetail } from '../hub/cameraTypes'
import { type Key, useT } from '../i18n'
import { recorded, useRecorded } from '../recorded/desk'
import { Confirm, MenuButton, say } from '../ui/overlay'
import { type Act, actsOf } from './acts.model'

/** What a device can be told to do besides moving: a cruise, the wiper, its own recording, guarding, a restart; and our own
 * recording of it. */
export function Acts({ camera }: { camera: CameraDetail }) {
  const t = useT()
  const [run, pending] = useCommand()
  const [asking, setAsking] = useState(false)
  const mayRecord = useCan('recording.control')
  const taped = useRecorded(camera.id) !== 'off'
  const groups = actsOf(camera)
  if (!groups.length && !mayRecord) return null
  const record = async () => {
    if (await run(() => recorded.act('camera', camera.id, taped ? 'stop' : 'start')))
      say(t(taped ? 'recorded.cameraStopped' : 'recorded.cameraStarted', { name: camera.name }))
  }
  const taping = {
    key: 'record-here',
    label: t(taped ? 'recorded.cameraStop' : 'recorded.camera'),
    onPick: () => void record(),
    testid: 'camera-record',
  }
  const tell = async ({ verb, values }: Act) => {
    if (await run(() => hub.cameras.control(camera.id, verb, values)))
      say(t('acts.done', { act: t(`acts.${verb}` as Key) }))
  }
  const item = (act: Act) => ({
    key: act.verb,
    label: t(`acts.${act.verb}` as Key),
    onPick: () => (act.verb === 'reboot' ? setAsking(true) : void tell(act)),
    testid: `act-${act.verb}`,
  })
  return (
    <>
      <MenuButton
        size="small"
        square
        look="ghost"
        place="below-end"
        icon={<Ellipsis size={16} />}
        aria-label={t('acts.more')}
        title={t('acts.more')}
        pending={pending && t('common.loading')}
        items={[...(mayRecord ? [[taping]] : []), ...groups.map(group => group.map(item))].flatMap((group, at) =>
          at ? ['line' as const, ...group] : group,
        )}
        data-testid="acts"
      />
      {asking && (
        <Confirm
          title={t('acts.rebootTitle', { name: camera.name })}
          body={t('acts.rebootBody')}
          act={t('acts.reboot')}
          onConfirm={() => {
            setAsking(false)
            void tell({ verb: 'reboot' })
          }}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  )
}
