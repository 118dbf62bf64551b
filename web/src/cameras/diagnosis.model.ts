import type { Camera, CameraDiagnosis } from '../hub/cameraTypes'

/** Steps that have words of their own; of others the hub's sentence stands alone. */
export const stepNames = [
  'registered',
  'invited',
  'answered',
  'received',
  'ssrc',
  'picture',
  'address',
  'connected',
  'signed_in',
  'described',
] as const
export type StepName = (typeof stepNames)[number]

export function stepName(name: string): StepName | undefined {
  return stepNames.find(one => one === name)
}

export const ways = { udp: 'udp', 'tcp-passive': 'tcp_passive', 'tcp-active': 'tcp_active' } as const

export function wayName(way: string): (typeof ways)[keyof typeof ways] | undefined {
  return way in ways ? ways[way as keyof typeof ways] : undefined
}

/** `0.31 s`; nothing was done: a dash. RTSP tells no times: what took none would be a lie. */
export function stepTime(step: CameraDiagnosis['steps'][number], timed: boolean): string {
  if (step.state === 'skipped' || step.state === 'waiting') return '—'
  return timed ? `${step.seconds.toFixed(2)} s` : ''
}

export function isTimed(found: CameraDiagnosis): boolean {
  return found.attempts.length > 0 || found.steps.some(step => step.seconds > 0)
}

const signs = { done: '✓', failed: '✗', waiting: '…', skipped: '–' } as const

/** The whole card as text, to be sent to whom it concerns. */
export function asText(camera: Camera, found: CameraDiagnosis): string {
  const head = [
    `${camera.name} · ${camera.org.name} · ${camera.id}`,
    `${found.at} ${found.code}`,
    found.text,
    found.advice,
  ]
  const steps = found.steps.map(
    step => `${signs[step.state]} ${step.name} ${stepTime(step, isTimed(found))} ${step.text}`,
  )
  const tried = found.attempts.map(one => {
    const facts = [
      one.way,
      one.port && `:${one.port}`,
      `${one.packets} packets`,
      `${one.seconds.toFixed(1)} s`,
      one.code,
      one.sender,
    ]
    if (one.ssrc) facts.push(`SSRC ${one.ssrc}`)
    return facts.filter(Boolean).join(' ')
  })
  return [...head, '', ...steps, '', ...tried].join('\n').trim()
}
