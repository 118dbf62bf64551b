import { sentence } from '../app/command'
import type { CameraDetail } from '../hub/cameraTypes'
import { useT } from '../i18n'
import { dateTime } from '../ui/time.model'
import { useSnapshots } from './files'
import './files.css'

const shown = 6

/** The newest pictures that were taken of a camera. */
export function SnapshotList({ camera }: { camera: CameraDetail }) {
  const t = useT()
  const may = camera.may.includes('snapshot')
  const listed = useSnapshots(camera.id, may)
  if (!may) return null
  const items = listed.data?.items ?? []
  return (
    <section className="side-part" data-testid="snapshots">
      <h3>{t('files.snapshots')}</h3>
      {listed.error && <p className="note">{sentence(listed.error)}</p>}
      {listed.data && items.length === 0 && <p className="note">{t('files.noSnapshots')}</p>}
      <ul className="snapshot-list">
        {items.slice(0, shown).map(one => {
          const words = t('shots.by', { time: dateTime(Date.parse(one.at)), name: one.by.name })
          return (
            <li key={one.id}>
              <a href={one.url} target="_blank" rel="noreferrer" title={words}>
                <img src={one.url} alt={words} loading="lazy" />
              </a>
            </li>
          )
        })}
      </ul>
    </section>
  )
}
