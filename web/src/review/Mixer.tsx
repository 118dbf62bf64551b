import { Headphones, Volume2, VolumeX } from 'lucide-react'
import { useState } from 'react'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { Popover } from '../ui/overlay'
import type { SpeakerLane } from './lanes.model'
import { type Hearing, hears, mute, setVolume, solo } from './sound.model'

interface Props {
  sound: Hearing
  onSound(change: (now: Hearing) => Hearing): void
  lanes: SpeakerLane[]
}

const percent = (volume: number) => Math.round(volume * 100)

/** The desk of sounds: each person's volume, alone, silent. */
export function Mixer({ sound, onSound, lanes }: Props) {
  const t = useT()
  const [open, setOpen] = useState(false)
  return (
    <Popover open={open} onOpen={setOpen}>
      <Button
        look="ghost"
        square
        icon={sound.off ? <VolumeX size={18} /> : <Volume2 size={18} />}
        aria-label={t('player.mixer')}
        title={t('player.mixer')}
        aria-expanded={open}
        aria-haspopup="dialog"
        onClick={() => setOpen(!open)}
        data-testid="player-mixer"
      />
      {open && (
        <div className="hanging mixer" role="dialog" aria-label={t('player.mixer')}>
          <div className="mixer-row all">
            <strong className="cut">{t('player.allSound')}</strong>
            <input
              type="range"
              autoFocus
              min={0}
              max={100}
              value={percent(sound.volume)}
              aria-label={t('player.volumeOf', { name: t('player.allSound') })}
              onChange={event => onSound(now => ({ ...now, off: false, volume: Number(event.target.value) / 100 }))}
            />
            <Button
              look="ghost"
              size="small"
              square
              icon={sound.off ? <VolumeX size={15} /> : <Volume2 size={15} />}
              aria-label={t(sound.off ? 'player.unmute' : 'player.mute')}
              aria-pressed={sound.off}
              onClick={() => onSound(now => ({ ...now, off: !now.off }))}
            />
          </div>
          {lanes.map((lane, i) => (
            <div className="mixer-row" key={lane.identity} data-testid="mixer-row" data-identity={lane.identity}>
              <span className="cut">
                {i < 9 && <kbd className="kbd">{i + 1}</kbd>} {lane.name}
              </span>
              <input
                type="range"
                min={0}
                max={100}
                value={percent(sound.volumes.get(lane.identity) ?? 1)}
                aria-label={t('player.volumeOf', { name: lane.name })}
                onChange={event => {
                  const volume = Number(event.target.value) / 100
                  onSound(now => setVolume(now, lane.identity, volume))
                }}
              />
              <Button
                look="ghost"
                size="small"
                square
                icon={<Headphones size={15} />}
                aria-label={t('player.soloOne', { name: lane.name })}
                aria-pressed={sound.solo === lane.identity}
                onClick={() => onSound(now => solo(now, lane.identity))}
              />
              <Button
                look="ghost"
                size="small"
                square
                icon={hears(sound, lane.identity) ? <Volume2 size={15} /> : <VolumeX size={15} />}
                aria-label={t(hears(sound, lane.identity) ? 'player.muteOne' : 'player.unmuteOne', { name: lane.name })}
                aria-pressed={!hears(sound, lane.identity)}
                onClick={() => onSound(now => mute(now, lane.identity))}
              />
            </div>
          ))}
        </div>
      )}
    </Popover>
  )
}
