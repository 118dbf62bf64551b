import type { Track } from 'livekit-client'
import { Unplug } from 'lucide-react'
import { useState } from 'react'
import { useHub } from '../app/hub'
import { useT } from '../i18n'
import { Picture } from '../room/Picture'
import { useView, useWanted } from './views'

/** The live picture of one camera, small. */
export default function AlarmPicture({ camera }: { camera: string }) {
  const t = useT()
  const [connection, view] = useView()
  useWanted(connection, 'alarm', [camera])
  const news = useHub(state => state.cameras[camera]?.state)
  const [drawn, setDrawn] = useState<Track>()
  const item = view?.items.get(camera)
  const track = item && view?.tracks.get(item.identity)
  const live = track !== undefined && drawn === track
  const failed = !live && (news ?? item?.state) === 'failed'
  return (
    <div
      className="alarm-picture"
      data-testid="alarm-picture"
      data-state={live ? 'live' : failed ? 'failed' : 'loading'}
    >
      {track && <Picture track={track} fit="contain" onFrame={() => setDrawn(track)} />}
      {!live && !failed && <span className="spin big" />}
      {failed && (
        <span className="note">
          <Unplug size={16} /> {t('spot.failed')}
        </span>
      )}
    </div>
  )
}
