import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { lazy, type ReactNode, Suspense, useEffect, useState } from 'react'
import { AgendaReminders } from '../agenda/Agenda'
import { Calls } from '../calls/Calls'
import { AlarmCards } from '../cameras/AlarmCards'
import { RingCards } from '../consultations/RingCards'
import { GroupBar, Groups } from '../groups/Groups'
import { HubError } from '../hub/http'
import { useT } from '../i18n'
import { LinkTester } from '../linktests/LinkTester'
import { Quick } from '../quick/Quick'
import { RollQuestions } from '../rollcalls/RollQuestions'
import { SignIn } from '../signin/SignIn'
import { Button } from '../ui/controls'
import { Toasts } from '../ui/overlay'
import { hub, useHub } from './hub'
import { KeyHelpHost } from './keyhelp'
import { navigate, usePath } from './router'
import { Shell } from './Shell'
import { sectionAt } from './sections'

// The room brings the media library with it, which is not needed to sign in.
const Room = lazy(() => import('../room/Room'))

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      refetchOnWindowFocus: false,
      // The hub has said no: asking again changes nothing. No answer at all: once more.
      retry: (count, error) => count < 2 && (!(error instanceof HubError) || error.status === 0 || error.status >= 500),
    },
  },
})

export function App() {
  const session = useHub(state => state.session)
  const unreachable = useSession()
  const path = usePath()
  useEffect(() => {
    if (session === null && path !== '/signin') {
      const back = path === '/' ? '' : `?next=${encodeURIComponent(path)}`
      navigate(`/signin${back}`, true)
    } else if (session && (path === '/' || path === '/signin')) {
      navigate(nextPath(), true)
    }
  }, [session, path])
  useEffect(() => {
    if (session === null) queries.clear()
  }, [session])
  return (
    <QueryClientProvider client={queries}>
      <div className="app-body">
        <div className="app-page">
          <Suspense fallback={null}>
            {session === undefined ? unreachable && <Unreachable /> : <Page path={path} />}
          </Suspense>
        </div>
        {session && <Groups />}
      </div>
      {session && <GroupBar />}
      {session && <Calls />}
      {session && <RingCards />}
      {session && <AlarmCards />}
      {session && <RollQuestions />}
      {session && <LinkTester />}
      {session && <AgendaReminders />}
      {session && <Quick />}
      <KeyHelpHost />
      <Toasts />
    </QueryClientProvider>
  )
}

function Page({ path }: { path: string }): ReactNode {
  const signedIn = useHub(state => Boolean(state.session))
  if (!signedIn) return <SignIn />
  const [, first, id] = path.split('/')
  if (first === 'room' && id) return <Room key={id} id={id} />
  if (path === '/' || path === '/signin') return null
  const section = sectionAt(path)
  const rest = section ? decodeURIComponent(path.slice(section.path.length + 1)) : ''
  return <Shell>{section ? <section.page id={rest} /> : <NotFound />}</Shell>
}

/** Where somebody wanted to go before he had to sign in; never another site. */
function nextPath(): string {
  const wanted = new URLSearchParams(location.search).get('next') ?? ''
  const here = wanted.split(/[?#]/)[0] ?? ''
  return here.startsWith('/room/') || sectionAt(here) ? wanted : '/consultations'
}

/** Asks who we are until there is an answer. True while there is none. */
function useSession(): boolean {
  const [unreachable, setUnreachable] = useState(false)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let here = true
    const ask = () =>
      hub.resume().then(
        () => setUnreachable(false),
        () => {
          if (!here) return
          setUnreachable(true)
          timer = setTimeout(ask, 3000)
        },
      )
    void ask()
    return () => {
      here = false
      clearTimeout(timer)
    }
  }, [])
  return unreachable
}

function Unreachable() {
  const t = useT()
  return (
    <div className="center" role="alert">
      <div>
        <h1>{t('app.unreachable')}</h1>
        <p>{t('app.unreachableHint')}</p>
        <Button look="primary" onClick={() => location.reload()}>
          {t('common.tryAgain')}
        </Button>
      </div>
    </div>
  )
}

function NotFound() {
  const t = useT()
  return (
    <div className="center">
      <div>
        <h1>{t('app.notFound')}</h1>
        <Button look="primary" onClick={() => navigate('/consultations')}>
          {t('app.backToList')}
        </Button>
      </div>
    </div>
  )
}
