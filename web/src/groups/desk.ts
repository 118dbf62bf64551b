import { createStore } from 'zustand/vanilla'
import { sentence } from '../app/command'
import { hub } from '../app/hub'
import { HubError } from '../hub/http'
import type { Instruction } from '../hub/terminal'
import type { HubEvent } from '../hub/types'
import { t } from '../i18n'
import { say } from '../ui/overlay'
import { type Action, api } from './api'
import {
  afterEvent,
  afterWord,
  type Emergency,
  type FloorWord,
  full,
  type Group,
  type Heard,
  kinds,
  type LineState,
  letGo,
  loudness,
  readFloor,
  selectedOf,
  speaks,
  type Volume,
  withGroup,
} from './groups.model'
import type { GroupLine, Microphone } from './line'
import { pip } from './pips'

interface GroupState {
  groups: Group[]
  loaded: boolean
  lines: Record<string, LineState>
  floors: Record<string, FloorWord>
  /** Chosen on this page; the hub knows it, too. */
  chosen: string | undefined
  /** The group in which the talk key is down. */
  pressed: string | undefined
  volumes: Record<string, Volume>
  emergencies: Emergency[]
  /** The panel beside the page. */
  open: boolean
}

const keptVolumes = 'commhub.groups.volumes'
const keptOpen = 'commhub.groups.open'
const soon = 300

/** This page's groups: what the hub says of them, the talk key, and the sound of those that are called. */
class GroupDesk {
  readonly store = createStore<GroupState>(() => ({
    groups: [],
    loaded: false,
    lines: {},
    floors: {},
    chosen: undefined,
    pressed: undefined,
    volumes: volumesKept(),
    emergencies: [],
    open: localStorage.getItem(keptOpen) === 'yes',
  }))
  private readonly lines = new Map<string, GroupLine>()
  private microphone: Microphone | undefined
  /** Whose floor was taken with a reason: it is kept until the key was pressed and let go, or the hub ends it. */
  private readonly kept = new Set<string>()
  private timer: ReturnType<typeof setTimeout> | undefined

  start(): () => void {
    let asked = hub.store.getState().resyncs
    const ours = (said: Instruction) => kinds.some(kind => kind === said.data.kind) && said.data.call === undefined
    const ends = [
      hub.onEvents(event => this.hear(event)),
      hub.onWords(word => this.told(word)),
      hub.terminal.on('join', said => void this.enter(said.subject, said), ours),
      hub.terminal.on(
        'leave',
        said => this.leaveLine(said.subject),
        said => this.lines.has(said.subject) || this.find(said.subject) !== undefined,
      ),
      hub.store.subscribe(state => {
        if (!state.session || state.resyncs === asked) return
        asked = state.resyncs
        void this.reload()
      }),
    ]
    void this.reload()
    return () => {
      for (const end of ends) end()
      clearTimeout(this.timer)
      for (const id of [...this.lines.keys()]) this.leaveLine(id)
      this.microphone?.stop()
      this.store.setState({ groups: [], loaded: false, lines: {}, floors: {}, pressed: undefined, emergencies: [] })
    }
  }

  get selected(): Group | undefined {
    const { groups, chosen } = this.store.getState()
    return selectedOf(groups, chosen)
  }

  heard(id: string): Heard | undefined {
    const { lines, floors } = this.store.getState()
    const line = lines[id]
    return line && { line, floor: floors[id] }
  }

  // ---- what people do

  show(open: boolean): void {
    localStorage.setItem(keptOpen, open ? 'yes' : 'no')
    this.store.setState({ open })
  }

  /** This one is talked in, and is the loudest. */
  async choose(id: string): Promise<void> {
    this.release()
    this.store.setState({ chosen: id })
    this.tune()
    this.learn(await api.listen(id, true))
  }

  /** This person was forced into its call: it is here for as long as that goes on, and is talked in. */
  async barged(id: string): Promise<void> {
    await this.load()
    this.release()
    this.store.setState({ chosen: id })
    this.show(true)
    this.tune()
  }

  async listen(id: string, on: boolean): Promise<void> {
    this.learn(await (on ? api.listen(id, false) : api.unlisten(id)))
    if (!on) this.leaveLine(id)
  }

  call = async (id: string, everybody: boolean) => this.learn(await api.call(id, everybody))
  end = async (id: string) => this.learn(await api.end(id))

  /** A group that was made or changed here. */
  made(group: Group): void {
    this.learn(group)
    this.later()
  }

  async remove(id: string): Promise<void> {
    await api.remove(id)
    this.leaveLine(id)
    this.store.setState(state => ({ groups: state.groups.filter(one => one.id !== id) }))
  }

  volume(id: string, change: Partial<Volume>): void {
    const { volumes } = this.store.getState()
    const next = { ...volumes, [id]: { ...(volumes[id] ?? full), ...change } }
    localStorage.setItem(keptVolumes, JSON.stringify(next))
    this.store.setState({ volumes: next })
    this.tune()
  }

  /** The talk key goes down: asks for the floor, and calls the group first when nobody has. */
  press(): void {
    const group = this.selected
    if (!group?.talks || this.store.getState().pressed !== undefined) return
    const { [group.id]: last, ...floors } = this.store.getState().floors
    // What was refused the last time is asked again.
    const again = last && {
      ...last,
      you: last.you === 'refused' || last.you === 'revoked' ? 'idle' : last.you,
      reason: '',
    }
    this.store.setState({ pressed: group.id, floors: again ? { ...floors, [group.id]: again as FloorWord } : floors })
    const state = this.store.getState().lines[group.id]
    if (letGo(this.heard(group.id)) === 'release') this.gate(group.id)
    else if (state === 'in') this.word(group.id, 'request')
    else if (state === undefined) void this.begin(group)
  }

  /** And up. */
  release(): void {
    const id = this.store.getState().pressed
    if (id === undefined) return
    const word = letGo(this.heard(id))
    this.kept.delete(id)
    this.store.setState({ pressed: undefined })
    this.gate(id)
    if (word) this.word(id, word)
  }

  /** With a reason: what is taken from somebody is written down. */
  async force(id: string, action: 'override' | 'revoke', reason: string): Promise<void> {
    if (action === 'override') this.kept.add(id)
    try {
      const answer = await api.floor(id, action, reason)
      this.took(answer, true)
      if (answer.you === 'refused') throw new Error(t(`group.refusal.${refusal(answer.reason)}`))
    } catch (error) {
      this.kept.delete(id)
      throw error
    }
  }

  async emergency(id: string): Promise<void> {
    const raised = await api.emergency(id, 'call')
    this.store.setState(state => ({ emergencies: [raised, ...state.emergencies.filter(one => one.id !== raised.id)] }))
  }

  /** Of the group one talks in; said when it did not work, since a key has no button to say it. */
  async emergencyHere(): Promise<void> {
    const group = this.selected
    if (!group) return say(t('group.noneSelected'), true)
    try {
      await this.emergency(group.id)
    } catch (error) {
      say(sentence(error), true)
    }
  }

  async acknowledge(id: string): Promise<void> {
    const known = await api.acknowledge(id)
    this.store.setState(state => ({ emergencies: state.emergencies.map(one => (one.id === id ? known : one)) }))
  }

  async calm(group: string, reason: string): Promise<void> {
    this.learn(await api.calm(group, reason))
    this.store.setState(state => ({ emergencies: state.emergencies.filter(one => one.group_id !== group) }))
  }

  // ---- what the hub says

  private find(id: string): Group | undefined {
    return this.store.getState().groups.find(one => one.id === id)
  }

  private learn(group: Group): void {
    this.store.setState(state => ({ groups: withGroup(state.groups, group) }))
    if (group.selected) this.tune()
  }

  private hear(event: HubEvent): void {
    if (event.type.startsWith('floor.')) {
      // In a call the socket tells it at once; each word of others is no reason to load everything.
      const data = event.data as Record<string, unknown>
      this.store.setState(state => ({
        groups: state.groups.map(one => (one.id === event.subject ? afterEvent(one, event.type, data) : one)),
      }))
    } else if (event.type.startsWith('group.')) {
      if (event.type.startsWith('group.emergency')) void this.loadEmergencies()
      this.later()
    }
  }

  /** Many things happen at once when a group is called: the list is asked for once. */
  private later(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      void this.load()
    }, soon)
  }

  private async reload(): Promise<void> {
    if (!hub.can('group.list')) return
    await Promise.all([this.load(), this.loadEmergencies()])
  }

  private async load(): Promise<void> {
    try {
      const { items } = await api.list()
      this.store.setState({ groups: items, loaded: true })
      // This page was loaded again in the middle of a call.
      for (const group of items)
        if (group.live && group.affiliated && ours().includes(group.id) && !this.lines.has(group.id))
          void this.enter(group.id)
    } catch (error) {
      if (!(error instanceof HubError)) throw error
    }
  }

  private async loadEmergencies(): Promise<void> {
    try {
      this.store.setState({ emergencies: (await api.emergencies()).items })
    } catch (error) {
      if (!(error instanceof HubError)) throw error
    }
  }

  private told(word: Record<string, unknown>): void {
    const floor = readFloor(word)
    if (floor) this.took(floor, 'state' in word)
    else if (word.type === 'refused' && word.of === 'floor' && typeof word.text === 'string') say(word.text, true)
  }

  private took(word: FloorWord, whole: boolean): void {
    const before = this.store.getState().floors[word.group]
    if (word.state === 'over') {
      this.leaveLine(word.group)
      return
    }
    const now = afterWord(before, word, whole)
    this.store.setState(state => ({ floors: { ...state.floors, [word.group]: now } }))
    this.gate(word.group)
    const pressed = this.store.getState().pressed === word.group
    // Granted after the key was let go: somebody else may talk.
    if (now.you !== 'granted' && now.you !== 'pending_revoke' && before?.you === 'granted') this.kept.delete(word.group)
    const unwanted = !pressed && !this.kept.has(word.group) && before?.you !== now.you && letGo(this.heard(word.group))
    if (unwanted) this.word(word.group, unwanted)
    if (before?.you === now.you) return
    if (now.you === 'granted' && pressed) pip('go')
    if (now.you === 'refused' || now.you === 'revoked') {
      pip('no')
      if (now.you === 'revoked' && now.by) say(t('group.taken', { name: now.by.name }), true)
    }
  }

  private word(group: string, action: Action): void {
    if (hub.say({ type: 'floor', group, action })) return
    void api.floor(group, action).then(
      answer => this.took(answer, true),
      error => say(sentence(error), true),
    )
  }

  // ---- sound

  private async begin(group: Group): Promise<void> {
    try {
      if (group.live) await this.enter(group.id)
      else await this.call(group.id, false)
    } catch (error) {
      this.store.setState(state => (state.pressed === group.id ? { pressed: undefined } : {}))
      say(sentence(error), true)
    }
  }

  /** `said`: what the hub says of this call, by whom one may have been let in since the list was loaded. */
  private async enter(id: string, said?: Pick<Instruction, 'url' | 'token' | 'data'>): Promise<void> {
    if (this.lines.has(id)) return
    remember(id, true)
    this.tell(id, 'joining')
    try {
      const media = await import('./line')
      if (this.lines.has(id)) return
      const line = new media.GroupLine(id, state => (state === 'over' ? this.leaveLine(id) : this.tell(id, state)))
      this.lines.set(id, line)
      this.microphone ??= new media.Microphone()
      // Both at once: the first word is not to wait for the microphone.
      const talks = said ? said.data.talks : this.find(id)?.talks
      const microphone = talks === false ? undefined : this.microphone.get()
      microphone?.catch(() => undefined)
      const ticket = said?.token ? { url: said.url || here(), token: said.token } : await api.join(id)
      await line.connect(ticket.url, ticket.token)
      this.tune()
      if (microphone) await this.publish(id, line, microphone)
      if (this.store.getState().pressed === id) this.word(id, 'request')
    } catch (error) {
      this.leaveLine(id)
      say(t('group.noSound', { reason: sentence(error) }), true)
    }
  }

  private async publish(id: string, line: GroupLine, microphone: Promise<MediaStreamTrack>): Promise<void> {
    try {
      await line.publish(await microphone)
      this.gate(id)
    } catch (error) {
      // One hears all the same.
      if (this.lines.get(id) === line) say(t('group.noMicrophone', { reason: sentence(error) }), true)
    }
  }

  private gate(id: string): void {
    this.lines.get(id)?.speak(speaks(this.heard(id), this.store.getState().pressed === id))
  }

  private tune(): void {
    const { volumes } = this.store.getState()
    const selected = this.selected?.id
    for (const [id, line] of this.lines) line.loudness(loudness(volumes[id], id === selected))
  }

  private tell(id: string, state: LineState): void {
    this.store.setState(now => ({ lines: { ...now.lines, [id]: state } }))
    this.gate(id)
  }

  private leaveLine(id: string): void {
    remember(id, false)
    this.lines.get(id)?.close()
    this.lines.delete(id)
    if (this.lines.size === 0) this.microphone?.rest()
    this.store.setState(state => {
      const { [id]: _line, ...lines } = state.lines
      const { [id]: _floor, ...floors } = state.floors
      return { lines, floors, ...(state.pressed === id && { pressed: undefined }) }
    })
    this.later()
  }
}

/** Reasons that have words of their own. */
export const refusals = ['outranked', 'queue_full', 'listener', 'not_in_call', 'no_call', 'reason'] as const

export function refusal(reason: string): (typeof refusals)[number] | 'other' {
  return refusals.find(one => one === reason) ?? 'other'
}

function here(): string {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`
}

function volumesKept(): Record<string, Volume> {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(keptVolumes) ?? '{}')
    return typeof found === 'object' && found !== null ? (found as Record<string, Volume>) : {}
  } catch {
    return {}
  }
}

const keptLines = 'commhub.groups'

/** The calls this page, and no other one of the browser, has the sound of. */
function ours(): string[] {
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(keptLines) ?? '[]')
    return Array.isArray(found) ? found.filter(one => typeof one === 'string') : []
  } catch {
    return []
  }
}

function remember(id: string, on: boolean): void {
  const others = ours().filter(one => one !== id)
  sessionStorage.setItem(keptLines, JSON.stringify(on ? [...others, id] : others))
}

export const groups = new GroupDesk()
