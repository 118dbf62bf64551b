import { type FormEvent, useId, useState } from 'react'
import { useCommand } from '../app/command'
import { hub, useCan } from '../app/hub'
import { navigate } from '../app/router'
import type { Label } from '../hub/types'
import { useT } from '../i18n'
import { Button, Check, Choice, Field } from '../ui/controls'
import { Dialog } from '../ui/overlay'
import { Invitees, nobody } from './Invitees'

const longestTitle = 80

export function CreateDialog({ onClose }: { onClose(): void }) {
  const t = useT()
  const form = useId()
  const [title, setTitle] = useState('')
  const [label, setLabel] = useState<Label>('internal')
  const [chosen, setChosen] = useState(nobody)
  const [record, setRecord] = useState(true)
  const [tried, setTried] = useState(false)
  const [run, pending] = useCommand()
  const mayRecord = useCan('recording.control')
  const words = title.trim()
  const problem = !words
    ? t('create.subjectMissing')
    : [...words].length > longestTitle
      ? t('create.subjectLong', { max: longestTitle })
      : undefined

  const submit = (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    if (problem || pending) return
    void run(async () => {
      const made = await hub.api.create({
        title: words,
        label,
        organisations: chosen.organisations.map(o => o.id),
        people: chosen.people.map(p => p.id),
        record: record && mayRecord,
      })
      hub.learn(made)
      navigate(`/room/${made.id}`)
    })
  }

  return (
    <Dialog
      title={t('create.title')}
      onClose={onClose}
      className="create"
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button
            look="primary"
            type="submit"
            form={form}
            pending={pending && t('create.pending')}
            data-testid="create-submit"
          >
            {t('create.submit')}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} noValidate className="create-form">
        <Field
          label={t('create.subject')}
          value={title}
          placeholder={t('create.subjectHint')}
          onChange={event => setTitle(event.target.value)}
          problem={tried ? problem : undefined}
          data-focus
          autoComplete="off"
          data-testid="create-title"
        />
        <Choice
          label={t('label.name')}
          value={label}
          options={(['public', 'internal', 'sensitive'] as const).map(key => [key, t(`label.${key}`)] as const)}
          onChange={setLabel}
        />
      </form>
      <div className="field">
        <span className="field-name">{t('create.who')}</span>
        <Invitees chosen={chosen} onChange={setChosen} />
      </div>
      {mayRecord && (
        <Check checked={record} onChange={setRecord} data-testid="create-record">
          {t('create.record')}
        </Check>
      )}
    </Dialog>
  )
}
