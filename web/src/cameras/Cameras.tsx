import { useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useRef, useState } from 'react'
import { useCommand, useSettled } from '../app/command'
import { hub, useHub } from '../app/hub'
import { navigate, useAddress } from '../app/router'
import type { Camera, CameraDetail } from '../hub/cameraTypes'
import { useKeys } from '../ui/keys'
import { useOpenAlarms } from './alarms'
import { BringDialog } from './BringDialog'
import type { TileOf } from './CameraTile'
import { DayStrip } from './DayStrip'
import { DiagnosisCard } from './DiagnosisCard'
import { useCameraEvents, useControl, useRecords, useTree, useWall } from './desk'
import { Gallery } from './Gallery'
import { usePlayer } from './playback'
import { type RoundControl, RoundPanel, useRound } from './Rounds'
import { SidePanel } from './SidePanel'
import { useShots } from './shots'
import { TreeSide } from './TreeSide'
import { useView, useWanted } from './views'
import { WallBar } from './WallBar'
import { WallGrid } from './WallGrid'
import * as walls from './wall.model'
import './cameras.css'
import './control.css'
import './dialogs.css'

type Shown = { what: 'bring' } | { what: 'gallery' } | { what: 'fault'; camera: string } | undefined

export default function Cameras() {
  const desk = useDesk()
  const { wall, change, records, selected, player, control, view, shots } = desk
  const [shown, setShown] = useState<Shown>()
  const [side, setSide] = useState(false)
  const searchBox = useRef<HTMLInputElement>(null)
  useCameraKeys(wall, change, () => searchBox.current?.focus())
  const onWall = walls.shownCameras(wall)
  const detailed = (id: string) => records.of(id)
  const several = onWall.flatMap(id => detailed(id) ?? []).filter(camera => camera.may.includes('snapshot'))
  const fault = shown?.what === 'fault' ? detailed(shown.camera) : undefined
  return (
    <div className={`cameras${side ? ' with-side' : ''}`} data-testid="cameras">
      <TreeSide
        tree={desk.tree}
        view={desk.treeView}
        searchBox={searchBox}
        shown={new Set(onWall)}
        onOpen={desk.open}
        onFavour={desk.favour}
      >
        <RoundPanel control={desk.round} wall={wall.slots.flatMap(id => id ?? [])} />
      </TreeSide>
      <section className="wall-column">
        <WallBar
          wall={wall}
          view={view}
          shooting={shots.busy}
          onWall={change}
          onSize={size => change(old => walls.resize(old, size))}
          onShootAll={() => void shots.shoot(several)}
          onBring={() => setShown({ what: 'bring' })}
          onCloseAll={() => change(walls.closeAll)}
          side={side}
          onSide={setSide}
        />
        <WallGrid
          wall={wall}
          tileOf={desk.tileOf}
          isMain={desk.isMain}
          isZoomable={place =>
            place === wall.selected && mayZoom(selected) && player.replaying?.camera !== selected?.id
          }
          onSelect={place => change(old => walls.select(old, place))}
          onClose={place => change(old => walls.close(old, place))}
          onDrop={(place, camera, from) =>
            change(old => (from === undefined ? walls.openAt(old, camera, place) : walls.swap(old, from, place)))
          }
          onDiagnose={camera => setShown({ what: 'fault', camera })}
        />
        <DayStrip key={selected?.id ?? ''} camera={selected} player={player} />
      </section>
      <SidePanel
        camera={selected}
        track={desk.trackOf(wall.selected)}
        sound={view?.sounds.get(desk.identity ?? '')}
        large={wall.size === 1}
        connection={desk.connection}
        identity={desk.identity}
        control={control}
        shots={shots.shots.length}
        shooting={shots.busy}
        onShoot={() => selected && void shots.shoot([selected])}
        onPush={() => setShown({ what: 'bring' })}
        onGallery={() => setShown({ what: 'gallery' })}
        onHide={() => setSide(false)}
      />
      {shown?.what === 'bring' && (
        <BringDialog
          selected={selected}
          shown={onWall}
          replaying={player.replaying?.camera === selected?.id ? player.replaying : undefined}
          position={player.position()}
          onClose={() => setShown(undefined)}
        />
      )}
      {shown?.what === 'gallery' && <Gallery shots={shots.shots} onClose={() => setShown(undefined)} />}
      {fault && (
        <DiagnosisCard
          camera={fault}
          onClose={() => setShown(undefined)}
          onRetried={() => desk.connection?.askAgain()}
          onOpen={camera => change(old => walls.open(old, camera))}
        />
      )}
    </div>
  )
}

function mayZoom(camera: CameraDetail | undefined): boolean {
  return Boolean(camera?.ptz && camera.protocol === 'gb28181' && camera.may.includes('move'))
}

/** Everything the parts of the page work on. */
function useDesk() {
  const [wall, change] = useWall()
  const [tree, treeView] = useTree()
  const [connection, view] = useView()
  const news = useHub(state => state.cameras)
  const control = useControl()
  const player = usePlayer(connection)
  const shots = useShots()
  const alarms = useOpenAlarms()
  const round = useRoundOnWall(wall, change)
  const ids = walls.shownCameras(wall)
  const records = useRecords(ids, tree)
  useCameraEvents(tree)
  useOpenFromAddress(change)
  useWanted(connection, 'wall', ids)
  useWanted(connection, 'round', round.ahead)
  const camera = wall.slots[wall.selected] ?? undefined
  const selected = camera ? records.of(camera) : undefined
  const identity = camera ? view?.items.get(camera)?.identity : undefined
  // Who opens one camera after the other does not wait for the large stream of each.
  const sharp = useSettled(identity, wall.size === 1 ? 0 : 400)
  useEffect(() => connection?.sharpen(sharp ? [sharp] : []), [connection, sharp])
  const { mover } = control
  useEffect(() => {
    // Who selects another camera has let go of this one.
    if (mover.moving && mover.moving !== camera) mover.stop()
  }, [mover, camera])
  const trackOf = (place: number) => {
    const id = wall.slots[place]
    if (!id || !view) return undefined
    const replayed = player.replaying?.camera === id ? player.replaying.playback.identity : undefined
    const item = view.items.get(id)
    return view.tracks.get(replayed ?? item?.identity ?? '')
  }
  const tileOf = (place: number): TileOf | undefined => {
    const id = wall.slots[place]
    if (!id) return undefined
    const record = records.of(id)
    return {
      camera: id,
      record,
      missing: records.missing(id),
      item: view?.items.get(id),
      news: news[id]?.state,
      track: trackOf(place),
      alarm: alarms.get(id),
      lock: record ? control.lockOf(record) : null,
      playback: player.replaying?.camera === id ? player.position() : undefined,
    }
  }
  const open = (chosen: Camera, instead: boolean) =>
    change(old => (instead ? walls.openAt(old, chosen.id, old.selected) : walls.open(old, chosen.id)))
  return {
    wall,
    change,
    tree,
    treeView,
    connection,
    view,
    control,
    player,
    shots,
    round,
    records,
    selected,
    identity,
    trackOf,
    tileOf,
    isMain: (place: number) => place === wall.selected && records.of(wall.slots[place] ?? '')?.sub === true,
    open,
    favour: useFavour(tree),
  }
}

/** `/cameras?open=<id>`: from an alarm, or a link somebody sent. */
function useOpenFromAddress(change: (next: (wall: walls.Wall) => walls.Wall) => void): void {
  const address = useAddress()
  useEffect(() => {
    const id = new URLSearchParams(address).get('open')
    if (!id) return
    change(old => walls.open(old, id))
    navigate('/cameras', true)
  }, [address, change])
}

/** A round takes the wall, and gives it back as it was. */
function useRoundOnWall(wall: walls.Wall, change: (next: (wall: walls.Wall) => walls.Wall) => void): RoundControl {
  const before = useRef<walls.Wall>(undefined)
  const round = useRound(
    useCallback((cameras, size) => change(old => walls.openAll(walls.resize(old, size), cameras)), [change]),
  )
  return {
    ...round,
    start: chosen => {
      before.current = wall
      round.start(chosen)
    },
    stop: () => {
      const old = before.current
      round.stop()
      if (old) change(() => old)
    },
  }
}

function useFavour(tree: ReturnType<typeof useTree>[0]) {
  const [run] = useCommand()
  const queries = useQueryClient()
  return (camera: Camera) => {
    const on = !camera.favourite
    tree.patch(camera.id, { favourite: on })
    void run(() => hub.cameras.favour(camera.id, on)).then(done => {
      if (!done) tree.patch(camera.id, { favourite: !on })
      void queries.invalidateQueries({ queryKey: ['camera', camera.id] })
    })
  }
}

function useCameraKeys(
  wall: walls.Wall,
  change: (next: (wall: walls.Wall) => walls.Wall) => void,
  search: () => void,
): void {
  const move = (direction: Parameters<typeof walls.neighbourPlace>[1]) => () => {
    const place = walls.neighbourPlace(wall, direction)
    change(old => walls.select(old, place))
    requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-place="${place}"]`)?.focus())
  }
  useKeys('cameras', {
    cameraSearch: search,
    wallLeft: move('left'),
    wallRight: move('right'),
    wallUp: move('up'),
    wallDown: move('down'),
    wallClose: () => change(old => walls.close(old, old.selected)),
  })
}
