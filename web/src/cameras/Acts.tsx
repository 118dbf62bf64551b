import { Ellipsis } from 'lucide-react'
import { useState } from 'react'
import { useCommand } from '../app/command'
import { hub } from '../app/hub'
import type { CameraDetail } from '../hub/cameraTypes'
import { type Key, useT } from '../i18n'
import { Confirm, MenuButton, say } from '../ui/overlay'
import { type Act, actsOf } from './acts.model'

/** What a device can be told to do besides moving: a cruise, the wiper, its own recording, guarding, a restart. */
export function Acts({ camera }: { camera: CameraDetail }) {
  const t = useT()
  const [run, pending] = useCommand()
  const [asking, setAsking] = useState(false)
  const groups = actsOf(camera)
  if (!groups.length) return null
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
        items={groups.flatMap((group, at) => (at ? ['line' as const, ...group.map(item)] : group.map(item)))}
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
