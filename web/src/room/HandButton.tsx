import { Hand } from 'lucide-react'
import { useCommand } from '../app/command'
import { hub, useHub } from '../app/hub'
import type { Consultation } from '../hub/types'
import { useT } from '../i18n'
import { useKeys } from '../ui/keys'
import { say } from '../ui/overlay'
import { BarButton } from './BarButton'
import { lead } from './control'
import { controlOf, handPlace } from './control.model'

/** One's own hand: up or down, and its place in the order. */
export function HandButton({ consultation }: { consultation: Consultation }) {
  const t = useT()
  const [run, pending] = useCommand()
  const me = useHub(state => state.session?.person.id) ?? ''
  const place = handPlace(controlOf(consultation), me)
  const turn = () =>
    void run(async () => {
      await lead(consultation).hand(place === 0)
      if (place) await hub.load(consultation.id)
      say(t(place ? 'control.handLowered' : 'control.handRaised'))
    })
  useKeys('room', { hand: turn })
  return (
    <BarButton
      icon={<Hand size={20} />}
      hint="hand"
      on={place > 0}
      aria-pressed={place > 0}
      pending={pending}
      onClick={turn}
      data-testid="hand"
    >
      {place ? t('control.handPlace', { place }) : t('control.raiseHand')}
    </BarButton>
  )
}
