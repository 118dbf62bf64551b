import { useQuery } from '@tanstack/react-query'
import { Check, Copy, Minus, RefreshCw, Unplug, X } from 'lucide-react'
import type { ReactNode } from 'react'
import { sentence, useCommand } from '../app/command'
import { hub } from '../app/hub'
import type { Camera, CameraDiagnosis, StepState } from '../hub/cameraTypes'
import { type Translate, useT } from '../i18n'
import { Button, ProblemLine, Skeleton } from '../ui/controls'
import { Dialog, say } from '../ui/overlay'
import { clockTime, dateTime, shortTime } from '../ui/time.model'
import { asText, isTimed, stepName, stepTime, wayName } from './diagnosis.model'

interface Props {
  camera: Camera
  onClose(): void
  onRetried(): void
  onOpen(camera: string): void
}

/** Why a camera did not open: what was done step by step, what was tried, whom to call. */
export function DiagnosisCard({ camera, onClose, onRetried, onOpen }: Props) {
  const t = useT()
  const [run, pending] = useCommand()
  const query = useQuery({
    queryKey: ['camera', camera.id, 'diagnosis'],
    queryFn: () => hub.cameras.diagnosis(camera.id),
    staleTime: 0,
    refetchInterval: 3000,
  })
  const found = query.data
  const facts = [camera.org.name, t(`fault.protocol.${camera.protocol}`)]
  if (found) facts.push(t('fault.at', { time: clockTime(Date.parse(found.at)) }))
  const near = found?.neighbours.find(one => one.state === 'live') ?? found?.neighbours[0]
  const retry = async () => {
    if (!(await run(() => hub.cameras.retry(camera.id)))) return
    onRetried()
    onClose()
  }
  const copy = async (text: string) => {
    const done = await run(() => navigator.clipboard.writeText(text))
    if (done) say(t('fault.copied'))
  }
  return (
    <Dialog
      title={t('fault.title', { name: camera.name })}
      note={facts.join(' · ')}
      onClose={onClose}
      className="fault"
      data-testid="diagnosis-card"
      footer={
        <>
          {found && (
            <Button icon={<Copy size={16} />} onClick={() => void copy(asText(camera, found))} data-testid="fault-copy">
              {t('fault.copy')}
            </Button>
          )}
          <span className="grow" />
          {near && (
            <Button
              onClick={() => {
                onOpen(near.id)
                onClose()
              }}
              data-testid="fault-neighbour"
            >
              {t('fault.openNeighbour', { name: near.name })}
            </Button>
          )}
          <Button
            look="primary"
            icon={<RefreshCw size={16} />}
            pending={pending && t('fault.retrying')}
            data-focus
            onClick={() => void retry()}
            data-testid="fault-retry"
          >
            {t('fault.retry')}
          </Button>
        </>
      }
    >
      {query.isPending && <Skeleton lines={5} />}
      {query.error && !found && <ProblemLine text={sentence(query.error)} />}
      {found && <Findings found={found} />}
    </Dialog>
  )
}

function Findings({ found }: { found: CameraDiagnosis }) {
  const t = useT()
  return (
    <>
      <div className="verdict" data-testid="fault-verdict">
        <Unplug size={20} aria-hidden />
        <div>
          <strong>{found.text}</strong>
          {found.advice && <p>{t('fault.advice', { text: found.advice })}</p>}
        </div>
      </div>
      <div className="fault-body">
        <ol className="steps" aria-label={t('fault.steps')}>
          {found.steps.map(step => (
            <StepRow key={step.name} step={step} timed={isTimed(found)} />
          ))}
        </ol>
        <aside className="fault-side">
          <Tried found={found} />
          <Neighbours found={found} />
          <Group title={t('fault.owner')}>
            <p>{found.owner.org_name}</p>
          </Group>
        </aside>
      </div>
    </>
  )
}

function StepRow({ step, timed }: { step: CameraDiagnosis['steps'][number]; timed: boolean }) {
  const t = useT()
  const name = stepName(step.name)
  const title = name && t(step.state === 'failed' ? `fault.failedStep.${name}` : `fault.step.${name}`)
  return (
    <li className={`step ${step.state}`} data-testid="fault-step" data-state={step.state} data-name={step.name}>
      <StepMark state={step.state} />
      <span className="two grow">
        <strong>{title ?? step.text}</strong>
        {title && step.text !== title && step.text !== '—' && <small>{step.text}</small>}
      </span>
      <span className="note">{stepTime(step, timed)}</span>
    </li>
  )
}

function StepMark({ state }: { state: StepState }) {
  const t = useT()
  const [icon, word] = (
    {
      done: [<Check key="i" size={14} />, t('fault.stepDone')],
      failed: [<X key="i" size={14} />, t('fault.stepFailed')],
      waiting: [<span key="i" className="spin" />, t('fault.stepWaiting')],
      skipped: [<Minus key="i" size={14} />, t('fault.stepSkipped')],
    } as const
  )[state]
  return (
    <span className="step-mark" role="img" aria-label={word}>
      {icon}
    </span>
  )
}

function Group({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <h3 className="note">{title}</h3>
      {children}
    </section>
  )
}

function wayText(way: string, t: Translate): string {
  const name = wayName(way)
  return name ? t(`fault.way.${name}`) : way
}

function Tried({ found }: { found: CameraDiagnosis }) {
  const t = useT()
  if (!found.attempts.length) return null
  return (
    <Group title={t('fault.tried')}>
      <ul className="fault-rows">
        {found.attempts.map((attempt, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the same way may be tried twice
          <li key={i} data-testid="fault-attempt">
            <span>{wayText(attempt.way, t)}</span>
            <span>{t('fault.packets', { count: attempt.packets })}</span>
            <span>{attempt.seconds.toFixed(1)} s</span>
          </li>
        ))}
      </ul>
    </Group>
  )
}

function Neighbours({ found }: { found: CameraDiagnosis }) {
  const t = useT()
  return (
    <Group title={t('fault.neighbours')}>
      <ul className="fault-rows">
        {found.neighbours.slice(0, 4).map(one => (
          <li key={one.id}>
            <span className="cut">{one.name}</span>
            <span>{t(`fault.${one.state}`)}</span>
            <span>{one.at ? shortTime(Date.parse(one.at)) : ''}</span>
          </li>
        ))}
        <li className="last">
          <span>{t('fault.lastSuccess')}</span>
          <span>{found.last_success ? dateTime(Date.parse(found.last_success)).slice(5) : t('fault.never')}</span>
        </li>
      </ul>
    </Group>
  )
}
