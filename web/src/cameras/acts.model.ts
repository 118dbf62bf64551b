import type { CameraDetail } from '../hub/cameraTypes'

/** What `POST /cameras/{id}/control` knows and has a place in the menu. */
export interface Act {
  verb: (typeof verbs)[number]
  values?: Record<string, string>
}

const verbs = [
  'cruise_start',
  'cruise_stop',
  'scan_start',
  'scan_stop',
  'aux_on',
  'aux_off',
  'record_start',
  'record_stop',
  'guard_on',
  'guard_off',
  'alarm_reset',
  'reboot',
] as const

const first = { number: '1' }

/** In groups; without those that the reader may not do, or that the camera cannot. */
export function actsOf(camera: Pick<CameraDetail, 'protocol' | 'ptz' | 'may'>): Act[][] {
  if (camera.protocol !== 'gb28181') return []
  const moves = camera.ptz && camera.may.includes('move')
  const controls = camera.may.includes('control')
  const turning: Act[] = [
    { verb: 'cruise_start', values: first },
    { verb: 'cruise_stop', values: first },
    { verb: 'scan_start', values: first },
    { verb: 'scan_stop', values: first },
  ]
  const wiper: Act[] = [
    { verb: 'aux_on', values: first },
    { verb: 'aux_off', values: first },
  ]
  const own: Act[][] = [
    [{ verb: 'record_start' }, { verb: 'record_stop' }],
    [{ verb: 'guard_on' }, { verb: 'guard_off' }, { verb: 'alarm_reset' }],
    [{ verb: 'reboot' }],
  ]
  return [...(moves ? [turning] : []), ...(controls && camera.ptz ? [wiper] : []), ...(controls ? own : [])]
}
