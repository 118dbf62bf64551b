import { type QueryClient, useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import { useCommand } from '../app/command'
import { hub, useCan } from '../app/hub'
import type { Alarm } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { Level, levelKey } from '../ui/Level'
import { shortTime } from '../ui/time.model'
import { gravest } from './alarms.model'

/** The alarms of one camera, the newest first, confirmed ones too. */
export function useAlarmsOf(camera: string | undefined): Alarm[] {
  const may = useCan('alarm.list')
  const query = useQuery({
    queryKey: ['alarms', camera],
    queryFn: () => hub.cameras.alarms('all', camera),
    enabled: may && camera !== undefined,
    staleTime: 10_000,
  })
  return query.data?.items ?? []
}

/** The gravest open alarm of each camera. */
export function useOpenAlarms(): ReadonlyMap<string, Alarm> {
  const may = useCan('alarm.list')
  const query = useQuery({
    queryKey: ['alarms', 'open'],
    queryFn: () => hub.cameras.alarms('open'),
    enabled: may,
    staleTime: 10_000,
  })
  return useMemo(() => gravest(query.data?.items ?? []), [query.data])
}

export function alarmsChanged(queries: QueryClient): void {
  void queries.invalidateQueries({ queryKey: ['alarms'] })
  void queries.invalidateQueries({ queryKey: ['camera'] })
}

export function AlarmRow({ alarm }: { alarm: Alarm }) {
  const t = useT()
  const state =
    alarm.state === 'new'
      ? t('alarms.new')
      : alarm.confirmed_by
        ? t('alarms.confirmedBy', { name: alarm.confirmed_by.name })
        : t('alarms.confirmed')
  const level = t(levelKey(alarm.level))
  return (
    <li className="alarm-row" data-testid="alarm" data-state={alarm.state}>
      <Level level={alarm.level} silent />
      <span className="two grow">
        <strong className="cut" title={alarm.text}>
          {alarm.text}
        </strong>
        <small className="note">{t('alarms.line', { time: shortTime(Date.parse(alarm.at)), level, state })}</small>
      </span>
      <ConfirmAlarm alarm={alarm} />
    </li>
  )
}

export function ConfirmAlarm({ alarm, main, onDone }: { alarm: Alarm; main?: boolean; onDone?(): void }) {
  const t = useT()
  const may = useCan('alarm.confirm')
  const queries = useQueryClient()
  const [run, pending] = useCommand()
  if (alarm.state !== 'new' || !may) return null
  const confirm = async () => {
    if (!(await run(() => hub.cameras.confirm(alarm.id)))) return
    alarmsChanged(queries)
    onDone?.()
  }
  return (
    <Button
      size="small"
      look={main ? 'primary' : 'plain'}
      pending={pending && t('alarms.confirming')}
      onClick={() => void confirm()}
      data-testid="alarm-confirm"
    >
      {t('alarms.confirm')}
    </Button>
  )
}
