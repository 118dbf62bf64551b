import { Maximize2, Minimize2 } from 'lucide-react'
import { useState } from 'react'
import { useStore } from 'zustand'
import { useT } from '../i18n'
import { Picture } from '../room/Picture'
import { Avatar, Button } from '../ui/controls'
import { useKeys } from '../ui/keys'
import { activeAt, type Call, columnsOf, faces } from './calls.model'
import { desk } from './desk'

/** Above the bar while a call has video: everybody in it, with a picture or without; a press makes it as large as the page. */
export function CallPictures({ call }: { call: Call }) {
  const t = useT()
  const shots = useStore(desk.store, state => state.shots[call.id]) ?? []
  const [large, setLarge] = useState(false)
  const on = call.video && shots.length > 0 && activeAt({ [call.id]: call }, desk.terminal).length > 0
  useKeys('call', { callPictures: () => setLarge(!large) }, on)
  if (!on) return null
  const shown = faces(call, desk.terminal, shots)
  return (
    <section
      className={`call-pictures${large ? ' is-large' : ''}`}
      aria-label={t('call.pictures')}
      style={{ '--columns': columnsOf(shown.length) } as React.CSSProperties}
      data-testid="call-pictures"
    >
      {shown.map(one => (
        <figure key={one.key} className="call-face" data-testid="call-face" data-live={one.shot !== undefined}>
          {one.shot ? (
            <Picture track={one.shot.track} fit="contain" mirrored={one.shot.local} />
          ) : (
            <Avatar name={one.name} />
          )}
          <figcaption className="cut">{one.shot?.local ? t('common.me') : one.name}</figcaption>
        </figure>
      ))}
      <Button
        className="call-size"
        square
        icon={large ? <Minimize2 size={16} /> : <Maximize2 size={16} />}
        aria-label={t(large ? 'call.smaller' : 'call.larger')}
        onClick={() => setLarge(!large)}
        data-testid="call-size"
      />
    </section>
  )
}
