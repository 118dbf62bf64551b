export type PresenceState = 'idle' | 'ringing' | 'busy' | 'dnd' | 'offline'
export type AutoAnswer = 'never' | 'seat' | 'always'
export type Verb = 'ring' | 'join' | 'leave' | 'answer' | 'mute' | 'unmute' | 'show' | 'floor'

export interface TerminalSettings {
  /** A ULID that this browser keeps. */
  id: string
  kind: 'console' | 'wall' | 'phone' | 'page'
  name: string
  autoAnswer: AutoAnswer
  dnd: boolean
}

/** What the hub wants done. `auto` says that the hub has decided that it is answered without asking. */
export interface Instruction {
  id: string
  verb: Verb
  subject: string
  room: string
  url: string
  token: string
  by: { id: string; name: string; org_name: string } | null
  reason: string
  auto: boolean
  data: Record<string, unknown>
}

/** Does it, or rejects with why not. What takes longer than the hub waits (3 s) goes on after it returned. */
export type Obey = (instruction: Instruction) => void | Promise<void>

/** Organisations and people whose presence a page shows. */
export interface Watched {
  orgs: string[]
  people: string[]
}

const remembered = 200
const mostWatched = 200

/**
 * This browser as a terminal: it registers whenever the stream has opened, does each instruction once however often it
 * comes, acknowledges it, and keeps the presence of people whom pages show.
 */
export class Terminal {
  private settings: TerminalSettings | undefined
  private leads = false
  private readonly obey: { verb: Verb; obey: Obey; mine: ((instruction: Instruction) => boolean) | undefined }[] = []
  private readonly done = new Map<string, Promise<{ ok: boolean; reason: string }>>()
  private readonly watched = new Set<Watched>()
  private asked = ''

  constructor(
    private readonly say: (word: Record<string, unknown>) => boolean,
    private readonly onPresence: (people: Record<string, PresenceState>, whole: boolean) => void,
  ) {}

  /** Who this terminal is. Said to the hub at once, and again after every break. */
  configure(settings: TerminalSettings): void {
    this.settings = settings
    this.register()
  }

  /** This page, and not another one of the browser, takes instructions from now on. */
  lead(): void {
    this.leads = true
    this.register()
  }

  /**
   * The result ends it. An instruction nobody obeys is refused. `mine` says which instructions of this verb are meant
   * (a call's, a group's); who says nothing gets what nobody else takes.
   */
  on(verb: Verb, obey: Obey, mine?: (instruction: Instruction) => boolean): () => void {
    const one = { verb, obey, mine }
    this.obey.push(one)
    return () => {
      const at = this.obey.indexOf(one)
      if (at >= 0) this.obey.splice(at, 1)
    }
  }

  /** Keeps presence of these up to date until the result is called. */
  watch(watched: Watched): () => void {
    this.watched.add(watched)
    this.tellWatched()
    return () => {
      this.watched.delete(watched)
      this.tellWatched()
    }
  }

  /** The stream is open (again). */
  opened(): void {
    this.asked = ''
    this.register()
    this.tellWatched()
  }

  /** Somebody uses this page: of several terminals of a person the one used last is rung first. */
  used(): void {
    if (this.leads) this.say({ type: 'used' })
  }

  /** True when the word was about terminals. */
  heard(word: Record<string, unknown>): boolean {
    if (word.type === 'instruction') {
      void this.instructed(word as unknown as Instruction)
    } else if (word.type === 'presence' && typeof word.people === 'object' && word.people !== null) {
      this.onPresence(word.people as Record<string, PresenceState>, word.whole === true)
    } else {
      return word.type === 'terminal' || word.type === 'replaced'
    }
    return true
  }

  private register(): void {
    if (!this.settings || !this.leads) return
    const { id, kind, name, autoAnswer, dnd } = this.settings
    this.say({ type: 'terminal', id, kind, name: name.slice(0, 64), auto_answer: autoAnswer, dnd })
  }

  private tellWatched(): void {
    const all = [...this.watched]
    const orgs = [...new Set(all.flatMap(one => one.orgs))].sort().slice(0, mostWatched)
    const people = [...new Set(all.flatMap(one => one.people))].sort().slice(0, mostWatched - orgs.length)
    const word = JSON.stringify({ orgs, people })
    if (word === this.asked || (this.asked === '' && orgs.length + people.length === 0)) return
    if (this.say({ type: 'watch', orgs, people })) this.asked = word
  }

  private async instructed(instruction: Instruction): Promise<void> {
    let outcome = this.done.get(instruction.id)
    if (!outcome) {
      outcome = this.act(instruction)
      this.done.set(instruction.id, outcome)
      const oldest = this.done.keys().next().value
      if (this.done.size > remembered && oldest !== undefined) this.done.delete(oldest)
    }
    this.say({ type: 'ack', id: instruction.id, ...(await outcome) })
  }

  private async act(instruction: Instruction): Promise<{ ok: boolean; reason: string }> {
    const able = this.obey.filter(one => one.verb === instruction.verb)
    const chosen = able.findLast(one => one.mine?.(instruction)) ?? able.findLast(one => !one.mine)
    if (!chosen) return { ok: false, reason: 'unsupported' }
    try {
      await chosen.obey(instruction)
      return { ok: true, reason: '' }
    } catch (error) {
      return { ok: false, reason: (error instanceof Error ? error.message : String(error)).slice(0, 200) }
    }
  }
}
