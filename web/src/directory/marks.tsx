import { Armchair, Building2, MapPin, Network, Phone, Unplug, UserRound, Video, Waypoints } from 'lucide-react'
import type { PresenceState } from '../hub/terminal'
import { useT } from '../i18n'
import type { Connectivity, EntryKind } from './directory.model'

const icons: Record<Connectivity, typeof Phone> = {
  none: Unplug,
  phone: Phone,
  staffed: Armchair,
  video: Video,
  full: Network,
}

/** How an organisation can be met, by shape; the word stands beside it or is said. */
export function ConnectivityMark({ of, word }: { of: Connectivity; word?: boolean }) {
  const t = useT()
  const Icon = icons[of]
  const name = t(`directory.connectivity.${of}`)
  return (
    <span className={`connectivity is-${of}`} title={t(`directory.connectivityHint.${of}`)} data-connectivity={of}>
      <Icon size={14} {...(word ? { 'aria-hidden': true } : { 'aria-label': name })} />
      {word && name}
    </span>
  )
}

/** Shape and word; nothing where it means nothing. */
export function Presence({ state }: { state: PresenceState | undefined }) {
  const t = useT()
  if (!state) return null
  return (
    <span className="presence-mark" data-presence={state}>
      <i className={`presence-dot is-${state}`} />
      {t(`terminal.presence.${state}`)}
    </span>
  )
}

const kinds: Record<EntryKind, typeof Phone> = {
  organisation: Building2,
  person: UserRound,
  seat: Armchair,
  place: MapPin,
  endpoint: Waypoints,
}

export function KindIcon({ kind, size = 18 }: { kind: EntryKind; size?: number }) {
  const Icon = kinds[kind]
  return <Icon size={size} aria-hidden />
}
