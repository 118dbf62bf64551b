import { ArrowBigUp, ArrowRight, Eye, EyeOff, Lock, Moon, ShieldCheck, Sun, User } from 'lucide-react'
import { type FormEvent, type KeyboardEvent, useRef, useState } from 'react'
import { sentence } from '../app/command'
import { hub } from '../app/hub'
import { Mark } from '../app/Shell'
import { setTheme, useTheme } from '../app/theme'
import { HubError } from '../hub/http'
import { setLanguage, useT } from '../i18n'
import { Button, Field, ProblemLine } from '../ui/controls'
import './signin.css'

export function SignIn() {
  const t = useT()
  return (
    <div className="signin">
      <section className="signin-picture">
        <p className="brand">
          <Mark /> {t('app.name')}
        </p>
        <Scene />
        <div>
          <p className="slogan">{t('signin.slogan')}</p>
          <p>{t('signin.features')}</p>
        </div>
      </section>
      <main className="signin-side">
        <Form />
        <Foot />
      </main>
    </div>
  )
}

function Form() {
  const t = useT()
  const [account, setAccount] = useState('')
  const [password, setPassword] = useState('')
  const [shown, setShown] = useState(false)
  const [caps, setCaps] = useState(false)
  const [pending, setPending] = useState(false)
  const [tried, setTried] = useState(false)
  const [problem, setProblem] = useState('')
  const accountBox = useRef<HTMLInputElement>(null)
  const passwordBox = useRef<HTMLInputElement>(null)

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    setProblem('')
    if (!account.trim()) return accountBox.current?.focus()
    if (!password) return passwordBox.current?.focus()
    if (pending) return
    setPending(true)
    try {
      await hub.signIn(account.trim(), password)
    } catch (error) {
      setProblem(sentence(error))
      setPending(false)
      if (error instanceof HubError && error.status === 401) passwordBox.current?.select()
    }
  }
  const watchCaps = (event: KeyboardEvent) => setCaps(event.getModifierState('CapsLock'))

  return (
    <form className="signin-form" onSubmit={submit} noValidate>
      <header>
        <h1>{t('signin.title')}</h1>
        <p>{t('signin.hint')}</p>
      </header>
      <Field
        large
        label={t('signin.account')}
        icon={<User size={18} />}
        inputRef={accountBox}
        value={account}
        onChange={event => setAccount(event.target.value)}
        problem={tried && !account.trim() ? t('signin.accountMissing') : undefined}
        name="username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        autoFocus
        data-testid="signin-account"
      />
      <Field
        large
        label={t('signin.password')}
        icon={<Lock size={18} />}
        inputRef={passwordBox}
        type={shown ? 'text' : 'password'}
        value={password}
        onChange={event => setPassword(event.target.value)}
        onKeyUp={watchCaps}
        onBlur={() => setCaps(false)}
        problem={tried && !password ? t('signin.passwordMissing') : undefined}
        name="password"
        autoComplete="current-password"
        data-testid="signin-password"
        after={
          <button
            type="button"
            className="clear"
            aria-label={t(shown ? 'signin.hide' : 'signin.show')}
            aria-pressed={shown}
            onClick={() => setShown(!shown)}
          >
            {shown ? <EyeOff size={18} /> : <Eye size={18} />}
          </button>
        }
      />
      {caps && (
        <p className="note caps" role="status">
          <ArrowBigUp size={16} /> {t('signin.caps')}
        </p>
      )}
      {problem && <ProblemLine text={problem} />}
      <Button
        look="primary"
        size="large"
        type="submit"
        pending={pending && t('signin.pending')}
        data-testid="signin-submit"
      >
        {t('signin.submit')} <ArrowRight size={18} />
      </Button>
    </form>
  )
}

function Foot() {
  const t = useT()
  const theme = useTheme()
  return (
    <footer className="signin-foot">
      <span className="note">
        <ShieldCheck size={14} /> {t('signin.notice')}
      </span>
      <span className="grow" />
      <button type="button" lang="zh-CN" onClick={() => setLanguage('zh')}>
        {t('app.chinese')}
      </button>
      <button type="button" lang="en" onClick={() => setLanguage('en')}>
        {t('app.english')}
      </button>
      <button type="button" onClick={() => setTheme(theme === 'dark' ? 'light' : 'dark')}>
        {theme === 'dark' ? <Sun size={16} /> : <Moon size={16} />}
        {theme === 'dark' ? t('app.light') : t('app.dark')}
      </button>
    </footer>
  )
}

/** Six quiet pictures of what the hub joins; drawn, so that nothing has to be loaded. */
function Scene() {
  return (
    <svg className="scene" viewBox="0 0 1120 1080" preserveAspectRatio="xMidYMid slice" aria-hidden>
      <title> </title>
      <g className="far">
        <rect x="0" y="0" width="556" height="278" />
        <path d="M0 110h556v168H0z" className="mid" />
        <path d="M380 278 556 160v118z" />
        <path d="M115 92h18v136h-18z" className="light" />
      </g>
      <Person x={564} y={0} className="face-1" />
      <g className="hall">
        <rect x="0" y="286" width="556" height="318" rx="8" />
        <path d="M97 319h342v116H97z" className="mid" />
        <path d="M105 327h160v100H105zM273 327h72v46h-72zM352 327h79v46h-79zM273 380h158v47H273z" className="screen" />
        <path d="M36 480h462v10H36zM0 530h556v14H0z" className="mid" />
      </g>
      <g className="tunnel">
        <rect x="564" y="286" width="556" height="318" rx="8" />
        <path d="M564 354h556v16H564zM753 410h198v60H753z" className="mid" />
        <path d="M672 374h60v5h-60zM774 376h48v5h-48zM884 376h48v5h-48zM976 374h60v5h-60z" className="lamp" />
        <path d="M1068 398h20v116h-20z" className="light" />
      </g>
      <Person x={0} y={612} className="face-2" />
      <g className="dam">
        <rect x="564" y="612" width="556" height="318" rx="8" />
        <path d="m564 710 80-46 90 46 100-50 120 52 90-40 76 36v110H564z" />
        <path d="M564 800h556v130H564z" className="mid" />
      </g>
      <path d="M0 938h556v142H0zM564 938h556v142H564z" className="far" />
    </svg>
  )
}

function Person({ x, y, className }: { x: number; y: number; className: string }) {
  return (
    <g className={className} transform={`translate(${x} ${y})`}>
      <rect width="556" height="318" rx="8" />
      <path d="M126 318q20-110 120-126h88q90 16 110 126z" className="suit" />
      <path d="M244 200q44 70 88 0l-16-30h-56z" className="shirt" />
      <ellipse cx="288" cy="118" rx="47" ry="62" className="skin" />
      <path d="M238 108q-6-70 50-70t50 70q-10-32-50-34t-50 34z" className="hair" />
    </g>
  )
}
