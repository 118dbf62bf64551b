import { useHub } from '../app/hub'
import { Link } from '../app/router'
import { type Section, sections } from '../app/sections'
import { useT } from '../i18n'
import './admin.css'

/** Between the pages of administration, for who may see more than one of them. */
export function AdminTabs({ here }: { here: string }) {
  const t = useT()
  const may = useHub(state => state.session?.permissions)
  const shown = sections.filter((one): one is Section & { tab: NonNullable<Section['tab']> } => {
    return one.tab !== undefined && (one.permission === undefined || (may?.includes(one.permission) ?? false))
  })
  if (shown.length < 2) return null
  return (
    <nav className="underlined admin-tabs" aria-label={t('policy.administration')}>
      {shown.map(one => (
        <Link key={one.path} href={one.path} aria-current={one.path === here ? 'page' : undefined}>
          {t(one.tab)}
        </Link>
      ))}
    </nav>
  )
}
