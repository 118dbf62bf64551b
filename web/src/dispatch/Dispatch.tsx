import { Ear, Info, Mic, MicOff, Speech } from 'lucide-react'
import { useEffect } from 'react'
import { useStore } from 'zustand'
import { useCommand, useTick } from '../app/command'
import { hub } from '../app/hub'
import { useT } from '../i18n'
import { Button } from '../ui/controls'
import { useKeys } from '../ui/keys'
import { duration } from '../ui/time.model'
import { dispatch } from './desk'
import { type Act, said, toldOf } from './dispatch.model'
import './dispatch.css'

/** On every page: what is done to one's line and by whom, and what one does oneself. */
export function Dispatch() {
  useEffect(() => dispatch.start(), [])
  const running = useStore(dispatch.store, state => state.running)
  const notices = useStore(dispatch.store, state => state.notices)
  const mine = useStore(dispatch.store, state => state.mine)
  return (
    <>
      {notices.map(act => (
        <Notice key={act.id} act={act} onClose={() => dispatch.putAway(act.id)} />
      ))}
      {running.map(act => (
        <Notice key={act.id} act={act} />
      ))}
      {mine.map(act => (
        <Mine key={act.id} act={act} />
      ))}
    </>
  )
}

/** Who does what, and why. What goes on cannot be put away. */
function Notice({ act, onClose }: { act: Act; onClose?: () => void }) {
  const t = useT()
  const me = hub.store.getState().session?.person.id
  const words = { actor: act.actor.name, org: act.actor.org_name, target: act.target.name, group: act.line.title }
  const how = said(act.verb, act.line.kind, act.end === 'put_out')
  const told = act.target.id === me ? toldOf(how) : undefined
  const text = told ? t(`dispatch.told.${told}`, words) : t(`dispatch.seen.${how}`, words)
  return (
    <section className="dispatch-notice" role="alert" data-testid="dispatch-notice" data-verb={act.verb}>
      <Info size={18} aria-hidden />
      <strong>{text}</strong>
      <span className="cut">{t('dispatch.because', { reason: act.reason })}</span>
      {onClose && (
        <Button size="small" onClick={onClose} data-testid="dispatch-putaway">
          {t('dispatch.understood')}
        </Button>
      )}
    </section>
  )
}

/** “I am monitoring”, “I am whispering”: whom, how long, and the button that ends it. */
function Mine({ act }: { act: Act }) {
  const t = useT()
  const line = useStore(dispatch.store, state => state.lines[act.id])
  const speaking = useStore(dispatch.store, state => state.speaking)
  const [run, pending] = useCommand()
  useTick(1000)
  const whispers = act.verb === 'whisper'
  useKeys('dispatch', { whisper: down => dispatch.speak(down) }, whispers && line === 'in')
  const seconds = Math.max(0, Math.floor((hub.now() - Date.parse(act.began_at)) / 1000))
  const words = { name: act.line.kind === 'group' ? act.line.title : act.target.name }
  return (
    <section className="dispatch-bar" aria-label={t('dispatch.bar')} data-testid="dispatch-bar" data-line={line ?? ''}>
      {whispers ? <Speech size={20} aria-hidden /> : <Ear size={20} aria-hidden />}
      <strong>{t(whispers ? 'dispatch.whispering' : 'dispatch.monitoring', words)}</strong>
      <span className="note cut">
        {act.silent ? t('dispatch.untold') : t('dispatch.because', { reason: act.reason })}
      </span>
      <span role="status" className="note">
        {line === 'in' ? <time>{duration(seconds * 1000)}</time> : t(`call.${line ?? 'elsewhere'}`)}
      </span>
      <span className="grow" />
      {whispers && (
        <Button
          look={speaking ? 'primary' : 'plain'}
          icon={speaking ? <Mic size={18} /> : <MicOff size={18} />}
          hint="whisper"
          aria-pressed={speaking}
          refused={line !== 'in' && t(`call.${line ?? 'elsewhere'}`)}
          onPointerDown={() => dispatch.speak(true)}
          onPointerUp={() => dispatch.speak(false)}
          onPointerLeave={() => speaking && dispatch.speak(false)}
          data-testid="dispatch-speak"
        >
          {t(speaking ? 'dispatch.speaking' : 'dispatch.speak')}
        </Button>
      )}
      <Button
        look="inverse"
        pending={pending && t('dispatch.ending')}
        onClick={() => void run(() => dispatch.end(act.id))}
        data-testid="dispatch-end"
      >
        {t(whispers ? 'dispatch.endWhisper' : 'dispatch.endMonitor')}
      </Button>
    </section>
  )
}
