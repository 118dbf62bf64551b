import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Lock } from 'lucide-react'
import { useState } from 'react'
import { sentence, useCommand, useSettled } from '../app/command'
import { Link } from '../app/router'
import type { Recording } from '../hub/types'
import { useT } from '../i18n'
import { Button, Field, ProblemLine } from '../ui/controls'
import { dateTime } from '../ui/time.model'
import { policiesApi } from './api'
import { kinds, type Rules, settings, variable } from './policies.model'

/** What counts of everything else, and what belongs to an incident. */
export function PolicySide({ rules }: { rules: Rules }) {
  const t = useT()
  const labels = rules.labels.map(label => t(`label.${label}`)).join('、')
  return (
    <aside className="policy-side">
      <h2>{t('policy.rules')}</h2>
      <p className="note">{t('policy.rulesNote')}</p>
      <dl>
        <Rule name={t('policy.byLabel')} value={labels || t('policy.noLabel')} setting={settings.labels} />
        {kinds.map(kind => (
          <Rule
            key={kind}
            name={t(`policy.kinds.${kind}`)}
            value={t(`policy.modes.${rules.kinds[kind]}`)}
            setting={kind === 'camera' ? undefined : settings[kind]}
          />
        ))}
        <Rule name={t('policy.layers')} value={t(`policy.layer.${rules.layers}`)} setting={settings.layers} />
      </dl>
      <p className="note">{t('policy.cameraNote')}</p>
      <Incident />
    </aside>
  )
}

function Rule({ name, value, setting }: { name: string; value: string; setting: string | undefined }) {
  const t = useT()
  return (
    <div data-testid="policy-rule" data-setting={setting}>
      <dt>{name}</dt>
      <dd>
        <span>
          {value} <Lock size={12} role="img" aria-label={t('policy.readOnly')} />
        </span>
        {setting ? <code title={variable(setting)}>{setting}</code> : <small>{t('policy.fixed')}</small>}
      </dd>
    </div>
  )
}

/** Recordings that were tied to an incident; one that does not belong there is let go. */
function Incident() {
  const t = useT()
  const [incident, setIncident] = useState('')
  const wanted = useSettled(incident.trim(), 300)
  const bad = !/^[\w.:-]{0,64}$/u.test(wanted)
  const query = useQuery({
    queryKey: ['incident', wanted],
    queryFn: () => policiesApi.tied(wanted),
    enabled: wanted !== '' && !bad,
  })
  return (
    <section aria-label={t('policy.incident')}>
      <h2>{t('policy.incident')}</h2>
      <p className="note">{t('policy.incidentNote')}</p>
      <Field
        label={t('policy.incidentId')}
        value={incident}
        maxLength={64}
        onChange={event => setIncident(event.target.value)}
        problem={bad ? t('policy.incidentBad') : undefined}
        data-testid="incident"
      />
      {query.error && <ProblemLine text={sentence(query.error)} />}
      {query.data?.items.length === 0 && <p className="note">{t('policy.incidentNone')}</p>}
      {query.data && query.data.items.length > 0 && (
        <ul>
          {query.data.items.map(one => (
            <Tied key={one.id} recording={one} />
          ))}
        </ul>
      )}
    </section>
  )
}

function Tied({ recording }: { recording: Recording }) {
  const t = useT()
  const client = useQueryClient()
  const [run, pending] = useCommand()
  const free = async () => {
    if (await run(() => policiesApi.tie(recording.id, ''))) await client.invalidateQueries({ queryKey: ['incident'] })
  }
  return (
    <li data-testid="incident-recording">
      <span className="two">
        <Link href={`/review/${recording.id}`} className="cut">
          {recording.title}
        </Link>
        <small>{dateTime(Date.parse(recording.started_at))}</small>
      </span>
      <Button
        size="small"
        pending={pending && t('policy.saving')}
        onClick={() => void free()}
        data-testid="incident-free"
      >
        {t('policy.free')}
      </Button>
    </li>
  )
}
