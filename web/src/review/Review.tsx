import { ArrowLeft } from 'lucide-react'
import { sentence } from '../app/command'
import { navigate } from '../app/router'
import { HubError } from '../hub/http'
import { useT } from '../i18n'
import { Button, useLate } from '../ui/controls'
import { TombstonePage } from './Keeping'
import { Player } from './Player'
import { useRecording } from './useRecording'
import './review.css'

export default function Review({ id = '' }: { id?: string }) {
  const t = useT()
  const query = useRecording(id)
  const slow = useLate(query.isPending, 300)
  if (query.error instanceof HubError && query.error.code === 'deleted') return <TombstonePage id={id} />
  if (query.data) return <Player key={id} recording={query.data} />
  return (
    <div className="center" role={query.error ? 'alert' : 'status'}>
      {query.error ? (
        <div>
          <h1>{t('review.notThere')}</h1>
          <p>{sentence(query.error)}</p>
          <Button look="primary" onClick={() => void query.refetch()}>
            {t('common.tryAgain')}
          </Button>
          <Button icon={<ArrowLeft size={16} />} onClick={() => navigate('/review')}>
            {t('review.backToList')}
          </Button>
        </div>
      ) : (
        slow && (
          <div>
            <span className="spin big" />
            <h1>{t('review.loading')}</h1>
          </div>
        )
      )}
    </div>
  )
}
