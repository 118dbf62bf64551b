import { ClipboardCheck } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useCommand, useTick } from '../app/command'
import { hub, useCan, useHub } from '../app/hub'
import { startRinging } from '../consultations/bell'
import { useT } from '../i18n'
import { say } from '../ui/overlay'
import { RingCard } from '../ui/RingCard'
import { duration } from '../ui/time.model'
import { rollApi } from './api'
import { left, type RollQuestion } from './rollcalls.model'
import './rollcalls.css'

/** 查岗 on every page: somebody asks whether this post is manned; one press answers. */
export function RollQuestions() {
  const able = useCan('roll.answer')
  const resyncs = useHub(state => state.resyncs)
  const [asked, setAsked] = useState<RollQuestion[]>([])
  useEffect(() => {
    if (!able || resyncs < 0) return undefined
    const load = async () => setAsked((await rollApi.asked()).items.filter(one => one.state !== 'present'))
    void load().catch(() => undefined)
    const ends = [
      hub.terminal.on('show', load, said => said.data.what === 'roll'),
      hub.onWords(word => {
        if (word.type === 'roll') setAsked(now => now.filter(one => one.id !== word.id))
      }),
    ]
    return () => {
      for (const end of ends) end()
    }
  }, [able, resyncs])
  useTick(500, asked.length > 0)
  const [first] = asked.filter(one => (left(one, hub.now()) ?? 0) > 0)
  const rings = first !== undefined
  useEffect(() => (rings ? startRinging(false) : undefined), [rings])
  if (!first) return null
  const gone = () => setAsked(now => now.filter(one => one.id !== first.id))
  return <Card key={first.id} question={first} onDone={gone} />
}

function Card({ question, onDone }: { question: RollQuestion; onDone(): void }) {
  const t = useT()
  const [run, pending] = useCommand()
  const answer = () =>
    void run(async () => {
      await rollApi.answer(question.id)
      say(t('roll.answered'))
      onDone()
    })
  return (
    <RingCard
      label={t('roll.post')}
      icon={<ClipboardCheck size={20} />}
      beside={<time>{duration(left(question, hub.now()) ?? 0)}</time>}
      title={question.title}
      accept={t('roll.here')}
      accepting={pending && t('roll.here')}
      onAccept={answer}
      data-accept="roll-here"
      data-testid="roll-question"
    >
      <p>{t('roll.askedBy', { name: question.by.name, org: question.by.org_name })}</p>
    </RingCard>
  )
}
