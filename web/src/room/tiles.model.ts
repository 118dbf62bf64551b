/** From what the room knows to what is shown: one tile per person or camera, and one more per shared screen. */

import type { CameraState } from '../hub/types'

export type Quality = 'excellent' | 'good' | 'poor' | 'lost' | 'unknown'

/** `V` is whatever draws the picture; this module only passes it on. */
export interface Video<V> {
  track: V | undefined
  muted: boolean
}

export interface Member<V> {
  identity: string
  name: string
  org: string
  kind: 'person' | 'camera'
  local: boolean
  /** Milliseconds; 0 when not known. */
  joinedAt: number
  mic: 'on' | 'muted' | 'none'
  camera: Video<V> | undefined
  screen: Video<V> | undefined
  /** Somebody's screen may come with sound. */
  screenSound: boolean
  quality: Quality
  /** Since when the ring is shown. */
  speakingSince: number | undefined
  /** Gone with the connection since then (ms): shown with the last picture until the connection is back. */
  staleSince?: number
}

export interface RoomCamera {
  id: string
  name: string
  org_name: string
  state: CameraState
  identity: string
  reason: string | null
}

/** A camera has no network of its own here: its bars show how its Source is. */
export function sourceQuality(state: CameraState | undefined): Quality {
  if (state === undefined) return 'unknown'
  return ({ live: 'excellent', connecting: 'poor', failed: 'lost', idle: 'unknown' } as const)[state]
}

export type Picture = 'live' | 'none' | 'opening' | 'failed'

export interface Tile<V> {
  id: string
  identity: string
  kind: 'person' | 'camera' | 'screen'
  name: string
  org: string
  local: boolean
  mic: Member<V>['mic']
  quality: Quality
  speakingSince: number | undefined
  picture: Picture
  /** Why it failed, in words. */
  reason: string | null
  track: V | undefined
  fit: 'cover' | 'contain'
  staleSince: number | undefined
}

export function buildTiles<V>(members: readonly Member<V>[], cameras: readonly RoomCamera[]): Tile<V>[] {
  const byIdentity = new Map(cameras.map(camera => [camera.identity, camera]))
  const inOrder = [...members].sort((a, b) => a.joinedAt - b.joinedAt || (a.identity < b.identity ? -1 : 1))
  const tiles = inOrder.flatMap(member => {
    const own = pictureTile(member, byIdentity.get(member.identity))
    return member.screen ? [screenTile(member, member.screen), own] : [own]
  })
  const here = new Set(members.map(member => member.identity))
  const awaited = cameras.filter(camera => !here.has(camera.identity)).map(awaitedTile<V>)
  return [...tiles, ...awaited]
}

function pictureTile<V>(member: Member<V>, camera: RoomCamera | undefined): Tile<V> {
  const isCamera = member.kind === 'camera'
  const video = member.camera
  const failed = isCamera && camera?.state === 'failed'
  let picture: Picture = 'none'
  if (failed) picture = 'failed'
  else if (video && !video.muted) picture = video.track === undefined ? 'opening' : 'live'
  else if (isCamera) picture = 'opening'
  return {
    id: `${member.identity}/camera`,
    identity: member.identity,
    kind: member.kind,
    name: member.name,
    org: member.org,
    local: member.local,
    mic: member.mic,
    quality: isCamera ? sourceQuality(camera?.state) : member.quality,
    speakingSince: member.speakingSince,
    picture,
    reason: failed ? camera.reason : null,
    track: video && !video.muted ? video.track : undefined,
    fit: isCamera ? 'contain' : 'cover',
    staleSince: member.staleSince,
  }
}

function screenTile<V>(member: Member<V>, screen: Video<V>): Tile<V> {
  return {
    id: `${member.identity}/screen`,
    identity: member.identity,
    kind: 'screen',
    name: member.name,
    org: member.org,
    local: member.local,
    mic: 'none',
    quality: member.quality,
    speakingSince: undefined,
    picture: screen.track === undefined ? 'opening' : 'live',
    reason: null,
    track: screen.track,
    fit: 'contain',
    staleSince: member.staleSince,
  }
}

/** A camera that was brought in and has not come yet. */
function awaitedTile<V>(camera: RoomCamera): Tile<V> {
  return {
    id: `${camera.identity}/camera`,
    identity: camera.identity,
    kind: 'camera',
    name: camera.name,
    org: camera.org_name,
    local: false,
    mic: 'none',
    quality: sourceQuality(camera.state),
    speakingSince: undefined,
    picture: camera.state === 'failed' ? 'failed' : 'opening',
    reason: camera.reason,
    track: undefined,
    fit: 'contain',
    staleSince: undefined,
  }
}

/**
 * The main picture of the speaker view: what somebody chose, else the newest shared screen, else who speaks or spoke
 * last (not oneself while others are there), else the first camera, else the first other person.
 */
export function chooseMain<V>(
  tiles: readonly Tile<V>[],
  pinned: string | undefined,
  lastSpeaker: string | undefined,
): Tile<V> | undefined {
  const screens = tiles.filter(tile => tile.kind === 'screen' && !tile.local)
  return (
    tiles.find(tile => tile.id === pinned) ??
    screens.at(-1) ??
    tiles.find(tile => tile.kind === 'person' && tile.identity === lastSpeaker && !tile.local) ??
    tiles.find(tile => tile.kind === 'camera') ??
    tiles.find(tile => !tile.local) ??
    tiles[0]
  )
}

/** Who speaks now: of several, the one who began last. */
export function currentSpeaker<V>(members: readonly Member<V>[]): Member<V> | undefined {
  return members
    .filter(member => member.speakingSince !== undefined)
    .sort((a, b) => (b.speakingSince ?? 0) - (a.speakingSince ?? 0))[0]
}

/** What stands in a tile without a picture: the first character of a name, two letters of a Latin one. */
export function initial(name: string): string {
  const trimmed = name.trim()
  const first = [...trimmed][0] ?? '?'
  if (!/^[A-Za-z]/.test(first)) return first
  const words = trimmed.split(/\s+/)
  return (first + (words[1]?.[0] ?? '')).toUpperCase()
}
