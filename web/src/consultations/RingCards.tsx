import { CircleDot, PhoneIncoming, Users } from 'lucide-react'
import { useEffect } from 'react'
import { useTick } from '../app/command'
import { hub, useHub } from '../app/hub'
import { navigate, usePath } from '../app/router'
import type { Ring } from '../hub/state'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { say } from '../ui/overlay'
import { RingCard } from '../ui/RingCard'
import { startRinging } from './bell'

/** After this it is a missed invitation, which the list shows anyhow. */
const ringFor = 60_000
const laterBy = 60_000

/** Invitations ring and show, wherever in the client one is; the newest is the one F1 answers. */
export function RingCards() {
  const rings = useHub(state => state.rings)
  const path = usePath()
  useTick(1000, rings.length > 0)
  const now = hub.now()
  const ringing = rings.filter(ring => ring.until === undefined || ring.until <= now)
  const due = ringing.filter(ring => path !== `/room/${ring.consultation.id}`)
  const late = ringing.filter(ring => now - (ring.until ?? ring.at) > ringFor)
  useEffect(() => {
    for (const ring of late) hub.dismissRing(ring.consultation.id)
  }, [late])
  const newest = due.at(-1)
  useBell(newest !== undefined)
  useTitle(newest)
  if (!newest) return null
  return <Invitation key={newest.consultation.id} ring={newest} now={now} />
}

function Invitation({ ring, now }: { ring: Ring; now: number }) {
  const t = useT()
  const c = ring.consultation
  const accept = () => {
    hub.dismissRing(c.id)
    for (const dialog of document.querySelectorAll('dialog')) dialog.close()
    navigate(`/room/${c.id}`)
  }
  const seconds = Math.max(0, Math.floor((now - (ring.until ?? ring.at)) / 1000))
  return (
    <RingCard
      label={t('ring.title')}
      icon={<PhoneIncoming size={20} />}
      beside={<time className="note">{t('ring.time', { seconds })}</time>}
      title={c.title}
      accept={t('ring.accept')}
      onAccept={accept}
      data-accept="ring-accept"
      buttons={
        <>
          <Button
            size="large"
            data-testid="ring-later"
            onClick={() => {
              hub.postponeRing(c.id, laterBy)
              say(t('ring.laterDone'))
            }}
          >
            {t('ring.later')}
          </Button>
          <Button size="large" data-testid="ring-decline" onClick={() => hub.dismissRing(c.id)}>
            {t('ring.decline')}
          </Button>
        </>
      }
      data-testid="ring-card"
    >
      <p>{t('ring.by', { name: ring.by.name, org: ring.by.org_name })}</p>
      <p className="ring-facts">
        <span>
          <Users size={16} /> {t('ring.present', { count: c.present.length })}
        </span>
        {c.recording.state === 'recording' && (
          <span>
            <CircleDot size={16} /> {t('ring.recording')}
          </span>
        )}
      </p>
    </RingCard>
  )
}

function useBell(on: boolean): void {
  useEffect(() => (on ? startRinging() : undefined), [on])
}

/** The tab says it too: somebody may be looking at another one. */
function useTitle(ring: Ring | undefined): void {
  const t = useT()
  const text = ring && t('ring.tab', { title: ring.consultation.title })
  useEffect(() => {
    if (!text) return
    const before = document.title
    document.title = text
    return () => {
      document.title = before
    }
  }, [text])
}
