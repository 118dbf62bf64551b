import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useEffect, useMemo, useState } from 'react'
import { AdminTabs } from '../admin/AdminTabs'
import { sentence, useSettled } from '../app/command'
import { hub, useHub } from '../app/hub'
import type { AdmittedDevice, Device } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { Button, Empty, ProblemLine, SearchField, Skeleton } from '../ui/controls'
import { AddDialog, AdmitDialog, PasswordDialog } from './AdmitDialog'
import { Detail } from './Detail'
import { sorted, spaced } from './devices.model'
import './devices.css'

type Tab = Device['state'] | ''
const tabs = [
  ['', 'hardware.all'],
  ['quarantine', 'hardware.quarantine'],
  ['admitted', 'hardware.admitted'],
  ['refused', 'hardware.refused'],
] as const

type Shown = { what: 'add' } | { what: 'admit'; device: Device } | { what: 'password'; of: AdmittedDevice } | undefined

/** Devices that call in: who waits, who is admitted, how their catalogues stand. */
export default function Devices() {
  const t = useT()
  const [tab, setTab] = useState<Tab>('')
  const [q, setQ] = useState('')
  const [chosen, setChosen] = useState<string>()
  const [shown, setShown] = useState<Shown>()
  const list = useDevices(tab, useSettled(q.trim()))
  const device = list.items.find(one => one.id === chosen) ?? list.items[0]
  const admitted = (of: AdmittedDevice) => {
    setShown({ what: 'password', of })
    setChosen(of.device.id)
    list.again()
  }
  return (
    <div className="devices" data-testid="devices">
      <section className="list-side">
        <AdminTabs here="/admin/devices" />
        <header className="list-head">
          <h1>{t('hardware.title')}</h1>
          <div className="tabs" role="tablist" aria-label={t('hardware.state')}>
            {tabs.map(([key, name]) => (
              <button
                type="button"
                role="tab"
                key={key}
                aria-selected={tab === key}
                onClick={() => setTab(key)}
                data-testid={`devices-${key || 'all'}`}
              >
                {t(name)}
              </button>
            ))}
          </div>
          <span className="grow" />
          <div className="list-search">
            <SearchField label={t('hardware.searchHint')} value={q} onChange={setQ} data-testid="device-search" />
          </div>
          <Button icon={<Plus size={18} />} onClick={() => setShown({ what: 'add' })} data-testid="device-add">
            {t('hardware.add')}
          </Button>
        </header>
        {list.loading && <Skeleton lines={6} />}
        {list.problem && <ProblemLine text={list.problem} />}
        {!list.loading && !list.problem && list.items.length === 0 && (
          <Empty text={t(tab === 'quarantine' ? 'hardware.noneWaiting' : 'hardware.empty')} />
        )}
        <div role="listbox" aria-label={t('hardware.title')}>
          {list.items.map(one => (
            <Row key={one.id} device={one} chosen={one.id === device?.id} onChoose={() => setChosen(one.id)} />
          ))}
        </div>
        {list.more && (
          <Button onClick={list.more} className="more">
            {t('common.moreItems')}
          </Button>
        )}
      </section>
      <Detail
        key={device?.id ?? ''}
        device={device}
        onAdmit={one => setShown({ what: 'admit', device: one })}
        onPassword={admitted}
        onChange={list.again}
      />
      {shown?.what === 'add' && <AddDialog onDone={admitted} onClose={() => setShown(undefined)} />}
      {shown?.what === 'admit' && (
        <AdmitDialog device={shown.device} onDone={admitted} onClose={() => setShown(undefined)} />
      )}
      {shown?.what === 'password' && <PasswordDialog of={shown.of} onClose={() => setShown(undefined)} />}
    </div>
  )
}

function useDevices(state: Tab, q: string) {
  const queries = useQueryClient()
  const resyncs = useHub(one => one.resyncs)
  const query = useInfiniteQuery({
    queryKey: ['devices', state, q, resyncs],
    queryFn: ({ pageParam }) => hub.cameras.devices(state, q, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: page => page.next ?? undefined,
  })
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const end = hub.onEvents(event => {
      if (!event.type.startsWith('device.') || timer) return
      // A city's devices come back at once after a power cut: they are asked for once a second.
      timer = setTimeout(() => {
        timer = undefined
        void queries.invalidateQueries({ queryKey: ['devices'] })
      }, 700)
    })
    return () => {
      end()
      clearTimeout(timer)
    }
  }, [queries])
  const items = useMemo(() => sorted(query.data?.pages.flatMap(page => page.items) ?? []), [query.data])
  return {
    items,
    loading: query.isPending,
    problem: query.error ? sentence(query.error) : undefined,
    more: query.hasNextPage ? () => void query.fetchNextPage() : undefined,
    again: () => void queries.invalidateQueries({ queryKey: ['devices'] }),
  }
}

function Row({ device, chosen, onChoose }: { device: Device; chosen: boolean; onChoose(): void }) {
  const t = useT()
  const maker = [device.manufacturer, device.model].filter(Boolean).join(' ')
  return (
    <div
      className={`row device-row${chosen ? ' chosen' : ''}`}
      role="option"
      aria-selected={chosen}
      tabIndex={chosen ? 0 : -1}
      onClick={onChoose}
      onFocus={onChoose}
      onKeyDown={event => {
        const by =
          event.key === 'ArrowDown' ? 'nextElementSibling' : event.key === 'ArrowUp' ? 'previousElementSibling' : ''
        if (!by) return
        event.preventDefault()
        const to = event.currentTarget[by]
        if (to instanceof HTMLElement) to.focus()
      }}
      data-testid="device"
      data-code={device.code}
      data-state={device.state}
    >
      <span className="two">
        <strong className="cut">{device.name || device.code}</strong>
        <small>{spaced(device.code)}</small>
      </span>
      <span className="two">
        <span className="cut">{device.org?.name ?? t('common.none')}</span>
        <small className="cut">{maker}</small>
      </span>
      <span className="two">
        <span className="cut">{device.address}</span>
        <small>{[device.transport, device.version].filter(Boolean).join(' · ')}</small>
      </span>
      <span>{t('hardware.channelsOf', { online: device.channels_online, total: device.channels })}</span>
      <span>
        <StateChip device={device} />
      </span>
    </div>
  )
}

export function StateChip({ device }: { device: Device }) {
  const t = useT()
  if (device.state === 'quarantine') return <span className="chip inverse">{t('hardware.quarantine')}</span>
  if (device.state === 'refused') return <span className="chip outline">{t('hardware.refused')}</span>
  return (
    <span className={`chip${device.online ? ' accent' : ' outline'}`}>
      {t(device.online ? 'hardware.online' : 'hardware.offline')}
    </span>
  )
}
