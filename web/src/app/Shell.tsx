import { BellOff, ChevronDown, Keyboard, Languages, LogOut, Moon, PhoneIncoming, Sun } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { CallButton } from '../calls/Calls'
import { GroupButton } from '../groups/GroupButton'
import { language, setLanguage, useT } from '../i18n'
import { QuickButton } from '../quick/Quick'
import { StorageBanner } from '../review/StorageBanner'
import { Avatar, Bars, Button } from '../ui/controls'
import { MenuButton } from '../ui/overlay'
import { clockTime, duration } from '../ui/time.model'
import { useCommand, useTick } from './command'
import { hub, setTerminalWishes, terminalWishes, useHub, type Wishes } from './hub'
import { openKeyHelp } from './keyhelp'
import { Link, usePath } from './router'
import { sectionAt, sections } from './sections'
import { setTheme, useTheme } from './theme'

export function Brand() {
  const t = useT()
  const city = useHub(state => state.session?.city)
  const name = language() === 'en' ? city?.name_en || city?.name : city?.name
  return (
    <span className="brand">
      <Mark />
      <span className="cut">{name ? t('app.of', { city: name }) : t('app.name')}</span>
    </span>
  )
}

export function Mark() {
  return <img src="/favicon.svg" width={24} height={24} alt="" />
}

/** The frame of every page but the room: where one can go, whether the hub is there, who one is. */
export function Shell({ children }: { children: ReactNode }) {
  const t = useT()
  const path = usePath()
  const may = useHub(state => state.session?.permissions)
  const here = sectionAt(path)
  const seen = sections.filter(({ permission }) => permission === undefined || may?.includes(permission))
  const administration = seen.find(section => section.tab)
  const shown = seen.filter(section => !section.tab || section === administration)
  const current = here?.tab ? administration : here
  return (
    <div className="shell">
      <a className="skip" href="#main">
        {t('app.skip')}
      </a>
      <header className="topbar">
        <Brand />
        <nav aria-label={t('app.nav')}>
          {shown.map(section => (
            <Link key={section.path} href={section.path} aria-current={section === current ? 'page' : undefined}>
              {t(section.label)}
            </Link>
          ))}
        </nav>
        <span className="grow" />
        <QuickButton />
        <GroupButton />
        <CallButton />
        <LinkState />
        <Clock />
        <Account />
      </header>
      <LinkBanner />
      <StorageBanner />
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </div>
  )
}

export function Clock() {
  useTick(1000)
  return <time className="clock">{clockTime(hub.now())}</time>
}

function LinkState() {
  const t = useT()
  const state = useHub(s => s.link.state)
  return (
    <span className="linkstate" role="status">
      <Bars quality={state === 'open' ? 'excellent' : 'lost'} />
      <span className="words">{t(`link.${state}`)}</span>
    </span>
  )
}

/** Says that what is shown stands still; a break of two seconds is not worth a word. */
function LinkBanner() {
  const t = useT()
  const link = useHub(state => state.link)
  useTick(1000, link.state === 'lost')
  const now = Date.now()
  if (link.state !== 'lost' || now - link.since < 2000) return null
  const seconds = Math.max(0, Math.ceil((link.nextAt - now) / 1000))
  return (
    <div className="banner" role="alert">
      <strong>{t('link.banner', { time: duration(now - link.since) })}</strong>
      <span>{t('link.bannerDetail', { attempt: link.attempt, seconds })}</span>
      <Button size="small" onClick={() => hub.retryNow()}>
        {t('link.retry')}
      </Button>
    </div>
  )
}

/** What picking the entry makes of it. */
const nextAnswer = { never: 'seat', seat: 'always', always: 'never' } as const

function Account() {
  const t = useT()
  const theme = useTheme()
  const person = useHub(state => state.session?.person)
  const [run, pending] = useCommand()
  const [wishes, setWishes] = useState(terminalWishes)
  if (!person) return null
  const wish = (change: Partial<Wishes>) => {
    setTerminalWishes(change)
    setWishes(terminalWishes())
  }
  const other = language() === 'zh' ? 'en' : 'zh'
  return (
    <MenuButton
      look="ghost"
      className="account"
      aria-label={`${t('app.account')} ${person.name}`}
      data-testid="account-menu"
      pending={pending && t('app.signOut')}
      place="below-end"
      items={[
        {
          key: 'language',
          icon: <Languages size={16} />,
          label: other === 'en' ? t('app.english') : t('app.chinese'),
          onPick: () => setLanguage(other),
        },
        {
          key: 'theme',
          icon: theme === 'dark' ? <Sun size={16} /> : <Moon size={16} />,
          label: theme === 'dark' ? t('app.light') : t('app.dark'),
          onPick: () => setTheme(theme === 'dark' ? 'light' : 'dark'),
        },
        {
          key: 'answer',
          icon: <PhoneIncoming size={16} />,
          label: t(`terminal.answer.${wishes.autoAnswer}`),
          testid: 'auto-answer',
          onPick: () => wish({ autoAnswer: nextAnswer[wishes.autoAnswer] }),
        },
        {
          key: 'dnd',
          icon: <BellOff size={16} />,
          label: t(wishes.dnd ? 'terminal.disturb' : 'terminal.dnd'),
          testid: 'dnd',
          onPick: () => wish({ dnd: !wishes.dnd }),
        },
        { key: 'keys', icon: <Keyboard size={16} />, label: t('app.keys'), onPick: openKeyHelp },
        'line',
        {
          key: 'out',
          icon: <LogOut size={16} />,
          label: t('app.signOut'),
          testid: 'sign-out',
          onPick: () => void run(() => hub.signOut()),
        },
      ]}
    >
      <Avatar name={person.name} />
      <span>{person.name}</span>
      <span className="note">{[person.org.name, person.post].filter(Boolean).join(' · ')}</span>
      <ChevronDown size={14} />
    </MenuButton>
  )
}
