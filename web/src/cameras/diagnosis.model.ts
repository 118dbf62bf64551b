import type { Camera, CameraDiagnosis } from '../hub/cameraTypes'

/** `0.31 s`; nothing was done: a dash. */
export function stepTime(step: CameraDiagnosis['steps'][number]): string {
  return step.state === 'skipped' || step.state === 'waiting' ? '—' : `${step.seconds.toFixed(2)} s`
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
  const steps = found.steps.map(step => `${signs[step.state]} ${step.name} ${stepTime(step)} ${step.text}`)
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
