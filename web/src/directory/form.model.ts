import { connectivities, endpointKinds } from './directory.model'

/** What a form of the directory asks for. No DOM. */

export interface FormField {
  name: string
  type: 'text' | 'level' | 'choice' | 'yes' | 'organisation'
  /** Of a choice: what there is, and the group of words that names them. */
  of?: readonly string[]
  words?: 'orgKind' | 'connectivity' | 'placeKind' | 'endpoint'
  needed?: boolean
  /** Of an organisation: it may be none. */
  none?: boolean
}

const name: FormField = { name: 'name', type: 'text', needed: true }
const level: FormField = { name: 'level', type: 'level' }
const belongs: FormField = { name: 'org_id', type: 'organisation', needed: true }

export const orgKinds = ['city', 'department', 'district', 'street', 'headquarters', 'external'] as const
export const placeKinds = ['hall', 'room', 'site'] as const

export const forms = {
  organisations: [
    name,
    { name: 'short', type: 'text' },
    { name: 'name_en', type: 'text' },
    { name: 'kind', type: 'choice', of: orgKinds, words: 'orgKind' },
    { name: 'connectivity', type: 'choice', of: connectivities, words: 'connectivity' },
    { name: 'parent_id', type: 'organisation', none: true },
    { name: 'listed', type: 'yes' },
  ],
  people: [name, { name: 'post', type: 'text' }, level, belongs],
  seats: [name, level, belongs, { name: 'serves_id', type: 'organisation', none: true }],
  places: [
    name,
    { name: 'kind', type: 'choice', of: placeKinds, words: 'placeKind' },
    { name: 'address', type: 'text' },
    belongs,
  ],
  endpoints: [
    { name: 'kind', type: 'choice', of: endpointKinds, words: 'endpoint' },
    { name: 'address', type: 'text' },
    { name: 'label', type: 'text' },
  ],
} as const satisfies Record<string, readonly FormField[]>

export type FormOf = keyof typeof forms
export type Values = Record<string, string | number | boolean | null>

const fresh: Values = { level: 9, listed: true, connectivity: 'full' }

/** What the form shows first: the record, or what a new one is. */
export function valuesOf(of: FormOf, record: Values | undefined, base: Values = {}): Values {
  const fields: readonly FormField[] = forms[of]
  return Object.fromEntries(
    fields.map(field => {
      const known = record?.[field.name] ?? base[field.name]
      const first = field.type === 'choice' ? (field.of?.[0] ?? '') : field.type === 'organisation' ? null : ''
      return [field.name, known ?? (record ? first : (fresh[field.name] ?? first))]
    }),
  )
}

/** The fields that are missing. */
export function missing(of: FormOf, values: Values): string[] {
  const fields: readonly FormField[] = forms[of]
  return fields.filter(field => field.needed && !String(values[field.name] ?? '').trim()).map(field => field.name)
}

/** What a new entry says: nothing that is empty, where the hub has a default. */
export function said(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== '' && value !== null))
}

/** `body.name` → `name`. */
export function fieldOf(where: string): string {
  return where.slice(where.indexOf('.') + 1)
}
