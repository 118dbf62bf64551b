import { useQuery, useQueryClient } from '@tanstack/react-query'
import { ChevronDown } from 'lucide-react'
import { useId, useState } from 'react'
import { sentence, useCommand } from '../app/command'
import { hub } from '../app/hub'
import { HubError } from '../hub/http'
import { language, useT } from '../i18n'
import { Button, Check, Field, ProblemLine, Skeleton } from '../ui/controls'
import { ActDialog, Confirm, Dialog } from '../ui/overlay'
import { api, type Plural } from './api'
import { changes } from './directory.model'
import { type FormField, fieldOf, forms, missing, said, type Values, valuesOf } from './form.model'

interface Props {
  plural: Plural
  /** Without it: a new one. */
  id?: string
  name: string
  /** What a new one is, and no field asks for. */
  base?: Values
  onClose(): void
  onGone?(): void
}

/** Makes, changes or removes an entry; what the hub refuses stands at its field. */
export function EditDialog(props: Props) {
  const t = useT()
  const { plural, id = '', onClose } = props
  const record = useQuery({
    queryKey: ['directory', 'record', plural, id],
    queryFn: () => api.record(plural, id),
    enabled: id !== '',
    // What one edits is what there is now, and does not change under one's hands.
    staleTime: 0,
    gcTime: 0,
    refetchOnMount: 'always',
    retry: false,
  })
  const title = id ? t('directory.editTitle', { name: props.name }) : t(`directory.new.${plural}`)
  if (id && !record.data)
    return (
      <Dialog title={title} onClose={onClose}>
        {record.error ? <ProblemLine text={sentence(record.error)} /> : <Skeleton lines={4} />}
      </Dialog>
    )
  return <Form {...props} title={title} record={record.data} />
}

function Form({
  plural,
  id,
  base,
  title,
  record,
  onClose,
  onGone,
}: Props & { title: string; record: (Values & { rev?: unknown }) | undefined }) {
  const t = useT()
  const queries = useQueryClient()
  const [first] = useState(() => valuesOf(plural, record, base))
  const [rev] = useState(() => Number(record?.rev ?? 0))
  const [values, setValues] = useState(first)
  const [wrong, setWrong] = useState<Record<string, string>>({})
  const [removing, setRemoving] = useState(false)
  const [run, pending] = useCommand()
  const changed = changes(first, values)
  const lacks = missing(plural, values)
  const learned = () => queries.invalidateQueries({ queryKey: ['directory'] })
  const save = async () => {
    const act = async () => {
      try {
        if (id) await api.change(plural, id, rev, changed as Values)
        else await api.make(plural, { ...said(values), ...base })
      } catch (error) {
        if (!(error instanceof HubError) || error.errors.length === 0) throw error
        setWrong(
          Object.fromEntries(
            error.errors.map(one => [fieldOf(one.where), (language() === 'zh' && one.text_zh) || one.text]),
          ),
        )
        throw error
      }
    }
    if (!(await run(act))) return
    void learned()
    onClose()
  }
  const remove = async () => {
    if (!id || !(await run(() => api.remove(plural, id, rev)))) return
    void learned()
    onClose()
    onGone?.()
  }
  const same = id !== undefined && Object.keys(changed).length === 0
  if (removing)
    return (
      <Confirm
        title={t('directory.removeTitle', { name: String(values.name ?? values.label ?? '') })}
        body={t('directory.removeBody')}
        act={t('directory.remove')}
        pending={pending && t('directory.saving')}
        onConfirm={() => void remove()}
        onClose={() => setRemoving(false)}
      />
    )
  return (
    <ActDialog
      title={title}
      onClose={onClose}
      act={t('directory.save')}
      pending={pending && t('directory.saving')}
      refused={lacks.length > 0 ? t('directory.missing') : same && t('directory.unchanged')}
      onAct={() => void save()}
      data-act="entry-save"
      also={
        id && (
          <>
            <Button look="ghost" onClick={() => setRemoving(true)} data-testid="entry-remove">
              {t('directory.remove')}
            </Button>
            <span className="grow" />
          </>
        )
      }
    >
      {(forms[plural] as readonly FormField[]).map((field, i) => (
        <Input
          key={field.name}
          field={field}
          value={values[field.name] ?? null}
          problem={wrong[field.name]}
          first={i === 0}
          onChange={value => setValues({ ...values, [field.name]: value })}
        />
      ))}
    </ActDialog>
  )
}

interface InputProps {
  field: FormField
  value: Values[string]
  problem: string | undefined
  first: boolean
  onChange(value: Values[string]): void
}

function Input({ field, value, problem, first, onChange }: InputProps) {
  const t = useT()
  const label = t(`directory.field.${field.name}` as 'directory.field.name')
  if (field.type === 'yes')
    return (
      <Check checked={value === true} onChange={onChange} data-testid={`field-${field.name}`}>
        {label}
      </Check>
    )
  if (field.type === 'text')
    return (
      <Field
        label={label}
        value={String(value ?? '')}
        problem={problem}
        maxLength={200}
        onChange={event => onChange(event.target.value)}
        {...(first && { 'data-focus': true })}
        data-testid={`field-${field.name}`}
      />
    )
  if (field.type === 'organisation') return <OrganisationInput {...{ field, value, problem, label, onChange }} />
  const options =
    field.type === 'level'
      ? [1, 2, 3, 4, 5, 6, 7, 8, 9].map(n => ({ value: String(n), name: t('directory.level', { level: n }) }))
      : (field.of ?? []).map(one => ({
          value: one,
          name: named(t, field.words, one),
        }))
  return (
    <Choice
      label={label}
      value={String(value ?? '')}
      options={options}
      problem={problem}
      name={field.name}
      onChange={next => onChange(field.type === 'level' ? Number(next) : next)}
    />
  )
}

function named(t: ReturnType<typeof useT>, words: FormField['words'], one: string): string {
  if (words === 'connectivity') return t(`directory.connectivity.${one as 'none'}`)
  if (words === 'placeKind') return t(`directory.placeKind.${one as 'hall'}`)
  if (words === 'endpoint') return t(`directory.endpoint.${one as 'web'}`)
  return t(`directory.orgKind.${one as 'city'}`)
}

function OrganisationInput({ field, value, problem, label, onChange }: Omit<InputProps, 'first'> & { label: string }) {
  const t = useT()
  const all = useQuery({ queryKey: ['organisations'], queryFn: () => hub.api.organisations(), staleTime: 60_000 })
  const options = (all.data?.items ?? []).map(one => ({ value: one.id, name: one.name }))
  if (field.none) options.unshift({ value: '', name: t('common.none') })
  return (
    <Choice
      label={label}
      value={String(value ?? '')}
      options={options}
      problem={problem}
      name={field.name}
      onChange={next => onChange(next || null)}
    />
  )
}

interface ChoiceProps {
  label: string
  value: string
  options: { value: string; name: string }[]
  problem: string | undefined
  name: string
  onChange(value: string): void
}

function Choice({ label, value, options, problem, name, onChange }: ChoiceProps) {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <span className="select-box">
        <select
          id={id}
          className="select"
          value={value}
          onChange={event => onChange(event.target.value)}
          data-testid={`field-${name}`}
        >
          {options.map(one => (
            <option key={one.value} value={one.value}>
              {one.name}
            </option>
          ))}
        </select>
        <ChevronDown size={16} />
      </span>
      {problem && <ProblemLine text={problem} />}
    </div>
  )
}
