import { Armchair, Building2, Download, MapPin, Settings2, Upload, UserPlus } from 'lucide-react'
import { useState } from 'react'
import { useT } from '../i18n'
import { MenuButton } from '../ui/overlay'
import { api, type Fields, type Plural } from './api'
import { useAdministers } from './book'
import { type Branch, type Entry, ofBranch } from './directory.model'
import { EditDialog } from './EditDialog'
import { ImportDialog } from './ImportDialog'

type Made = Exclude<Plural, 'endpoints'>

/** For who administers a branch: what can be made in this organisation, and files in and out. */
export function AdminMenu({ branch, onShow }: { branch: Branch; onShow(entry: Entry): void }) {
  const t = useT()
  const may = useAdministers(branch.id)
  const [making, setMaking] = useState<Made>()
  const [taking, setTaking] = useState(false)
  if (!may) return null
  const below: Fields = making === 'organisations' ? { parent_id: branch.id } : { org_id: branch.id }
  const get = (format: 'csv' | 'json') => {
    const link = document.createElement('a')
    link.href = api.given(format, branch.id)
    link.download = `directory.${format}`
    link.click()
  }
  return (
    <>
      <MenuButton
        icon={<Settings2 size={16} />}
        place="below-end"
        data-testid="book-admin"
        items={[
          {
            key: 'self',
            icon: <Building2 size={16} />,
            label: t('directory.ofOrganisation'),
            onPick: () => onShow(ofBranch(branch)),
          },
          'line',
          {
            key: 'person',
            icon: <UserPlus size={16} />,
            label: t('directory.new.people'),
            onPick: () => setMaking('people'),
            testid: 'new-person',
          },
          {
            key: 'seat',
            icon: <Armchair size={16} />,
            label: t('directory.new.seats'),
            onPick: () => setMaking('seats'),
            testid: 'new-seat',
          },
          {
            key: 'place',
            icon: <MapPin size={16} />,
            label: t('directory.new.places'),
            onPick: () => setMaking('places'),
          },
          {
            key: 'org',
            icon: <Building2 size={16} />,
            label: t('directory.new.organisations'),
            onPick: () => setMaking('organisations'),
            testid: 'new-org',
          },
          'line',
          {
            key: 'take',
            icon: <Upload size={16} />,
            label: t('directory.import'),
            onPick: () => setTaking(true),
            testid: 'book-import',
          },
          { key: 'csv', icon: <Download size={16} />, label: t('directory.exportCsv'), onPick: () => get('csv') },
          { key: 'json', icon: <Download size={16} />, label: t('directory.exportJson'), onPick: () => get('json') },
        ]}
      >
        {t('directory.manage')}
      </MenuButton>
      {making && <EditDialog plural={making} name="" base={below} onClose={() => setMaking(undefined)} />}
      {taking && <ImportDialog onClose={() => setTaking(false)} />}
    </>
  )
}
