import { ChevronDown, MapPin } from 'lucide-react'
import { lazy, Suspense, useEffect, useState } from 'react'
import { createPortal } from 'react-dom'
import { hub, useCan } from '../app/hub'
import { navigate, usePath } from '../app/router'
import { alarmTone } from '../consultations/bell'
import type { Alarm } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { Level, levelKey } from '../ui/Level'
import { clockTime } from '../ui/time.model'
import { ConfirmAlarm } from './alarms'
import { readAlarm, withAlarm } from './alarms.model'
import './alarms.css'

// The picture brings the media library with it, which a page without cameras does not need.
const AlarmPicture = lazy(() => import('./AlarmPicture'))

/** ms; an alarm that is older was raised while this page was not there. */
const freshFor = 60_000

/** Alarms show and sound, wherever in the client one is; the newest with its live picture. */
export function AlarmCards() {
  const t = useT()
  const may = useCan('alarm.list')
  const [alarms, setAlarms] = useState<readonly Alarm[]>([])
  const path = usePath()
  useEffect(() => {
    if (!may) return
    return hub.onEvents(event => {
      const alarm = event.type.startsWith('alarm.') ? readAlarm(event.data) : undefined
      if (!alarm) return
      const fresh = hub.now() - Date.parse(event.at) < freshFor
      if (event.type === 'alarm.raised' && fresh) alarmTone(alarm.level)
      if (event.type !== 'alarm.raised' || fresh) setAlarms(old => withAlarm(old, alarm))
    })
  }, [may])
  const [newest, ...others] = alarms
  if (!newest) return null
  const drop = (id: string) => setAlarms(old => old.filter(one => one.id !== id))
  // In a consultation the pictures there come first: the card comes without one.
  const picture = newest.camera && !path.startsWith('/room/')
  const host = document.querySelector('dialog[open]') ?? document.body
  return createPortal(
    <section className="alarm-card" role="alertdialog" aria-label={t('alarms.card')} data-testid="alarm-card">
      <header aria-live="assertive">
        <Level level={newest.level} size={22} silent />
        <strong className="grow" data-testid="alarm-text">
          {t(levelKey(newest.level))} · {newest.text}
        </strong>
        <time className="note">{clockTime(Date.parse(newest.at))}</time>
      </header>
      <p className="note cut">
        <MapPin size={13} />{' '}
        {newest.camera
          ? `${newest.camera.name} · ${newest.camera.org_name}`
          : t('alarms.device', { name: newest.device.name })}
      </p>
      {picture && newest.camera && (
        <Suspense fallback={<div className="alarm-picture" />}>
          <AlarmPicture key={newest.camera.id} camera={newest.camera.id} />
        </Suspense>
      )}
      <footer>
        {others.length > 0 && <span className="note grow">{t('alarms.more', { count: others.length })}</span>}
        {others.length === 0 && <span className="grow" />}
        <Button size="small" icon={<ChevronDown size={15} />} onClick={() => drop(newest.id)} data-testid="alarm-later">
          {t('alarms.later')}
        </Button>
        {newest.camera && (
          <Button
            size="small"
            onClick={() => {
              navigate(`/cameras?open=${encodeURIComponent(newest.camera?.id ?? '')}`)
              drop(newest.id)
            }}
            data-testid="alarm-open"
          >
            {t('alarms.open')}
          </Button>
        )}
        <ConfirmAlarm alarm={newest} main onDone={() => drop(newest.id)} />
      </footer>
    </section>,
    host,
  )
}
