import { Download } from 'lucide-react'
import { useT } from '../i18n'
import { Empty } from '../ui/controls'
import { Dialog } from '../ui/overlay'
import { dateTime } from '../ui/time.model'
import type { Shot } from './shots'

export function Gallery({ shots, onClose }: { shots: Shot[]; onClose(): void }) {
  const t = useT()
  return (
    <Dialog title={t('shots.title')} onClose={onClose} className="gallery" data-testid="gallery">
      {shots.length === 0 && <Empty text={t('shots.empty')} />}
      <ul className="gallery-list">
        {shots.map(shot => (
          <li key={shot.id}>
            <a href={shot.url} target="_blank" rel="noreferrer">
              <img src={shot.url} alt={shot.name} loading="lazy" />
            </a>
            <span className="two grow">
              <strong className="cut">{shot.name}</strong>
              <small className="note">
                {t('shots.by', { time: dateTime(Date.parse(shot.at)), name: shot.by.name })}
              </small>
            </span>
            <a className="btn small square" href={shot.url} download={`${shot.name}.jpg`} aria-label={t('shots.save')}>
              <Download size={16} />
            </a>
          </li>
        ))}
      </ul>
    </Dialog>
  )
}
