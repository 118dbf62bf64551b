import { type ComponentType, lazy } from 'react'
import { Consultations } from '../consultations/Consultations'
import type { Key } from '../i18n'

export interface Section {
  /** The first part of the address, or the first two: `/admin/devices`. */
  path: string
  label: Key
  /** Who lacks it does not see the section. */
  permission?: string
  page: ComponentType<{ id: string }>
  /** Its name among the pages of administration: in the navigation these are one, the first that may be seen. */
  tab?: Key
}

// The cameras bring the media library with them, review its player: neither is needed to sign in.
const Cameras = lazy(() => import('../cameras/Cameras'))
const Devices = lazy(() => import('../devices/Devices'))
const Directory = lazy(() => import('../directory/Directory'))
const LinkTests = lazy(() => import('../linktests/LinkTests'))
const Policies = lazy(() => import('../admin/Policies'))
const Posts = lazy(() => import('../rollcalls/Posts'))
const History = lazy(() => import('../calls/History'))
const Recordings = lazy(() => import('../review/Recordings'))

/** Where one can go, in the order of the navigation. */
export const sections: readonly Section[] = [
  { path: '/consultations', label: 'app.consultations', page: Consultations },
  { path: '/directory', label: 'app.directory', permission: 'directory.view', page: Directory },
  { path: '/calls', label: 'call.nav', permission: 'call.list', page: History },
  { path: '/cameras', label: 'app.cameras', permission: 'camera.open', page: Cameras },
  { path: '/posts', label: 'roll.nav', permission: 'roll.post', page: Posts },
  { path: '/links', label: 'link_test.nav', permission: 'link.test', page: LinkTests },
  { path: '/review', label: 'app.review', permission: 'recording.list', page: Recordings },
  { path: '/admin/devices', label: 'hardware.nav', permission: 'device.admit', page: Devices, tab: 'hardware.title' },
  {
    path: '/admin/recording',
    label: 'policy.nav',
    permission: 'recording.policy',
    page: Policies,
    tab: 'policy.title',
  },
]

const within = (path: string, section: string) => path === section || path.startsWith(`${section}/`)

export function sectionAt(path: string): Section | undefined {
  return sections.find(section => within(path, section.path))
}
