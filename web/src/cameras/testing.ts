import type { Camera } from '../hub/cameraTypes'

/** A camera for tests, everything allowed that tests look at. */
export const camera = (id: string, name = id, more: Partial<Camera> = {}): Camera => ({
  id,
  name,
  place: null,
  org: { id: 'o', name: '市水务局', short: '水务' },
  label: 'internal',
  state: 'idle',
  reason: null,
  protocol: 'gb28181',
  online: true,
  ptz: true,
  sub: true,
  node_id: null,
  path: ['市水务局', '临江大堤'],
  position: null,
  alarm: false,
  favourite: false,
  faulty: false,
  codec: null,
  may: ['open', 'move'],
  ...more,
})
