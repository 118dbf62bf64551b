import { CircleDot, Square } from 'lucide-react'
import { useCommand } from '../app/command'
import { useCan } from '../app/hub'
import { useT } from '../i18n'
import { Button, RecordingChip } from '../ui/controls'
import { say } from '../ui/overlay'
import { recorded, useRecorded } from './desk'

/** Records the call, or ends that, for who may. */
export function RecordCall({ call, refused }: { call: string; refused: string | false }) {
  const t = useT()
  const may = useCan('recording.control')
  const state = useRecorded(call)
  const [run, pending] = useCommand()
  if (!may) return null
  const on = state !== 'off'
  const turn = () =>
    void run(async () => {
      await recorded.act('call', call, on ? 'stop' : 'start')
      say(t(on ? 'recorded.stopped' : 'recorded.started'))
    })
  return (
    <Button
      icon={on ? <Square size={18} /> : <CircleDot size={18} />}
      aria-pressed={on}
      refused={!on && refused}
      pending={pending && t('recorded.pending')}
      onClick={turn}
      data-testid="call-record"
    >
      {t(on ? 'recorded.stop' : 'recorded.start')}
    </Button>
  )
}

/** The light: everybody in the call sees it. */
export function CallLight({ call }: { call: string }) {
  const t = useT()
  const state = useRecorded(call)
  if (state === 'recording') return <RecordingChip text={t('recorded.on')} data-testid="call-recording" />
  if (state === 'failed') return <span className="chip inverse">{t('recorded.failed')}</span>
  return null
}
