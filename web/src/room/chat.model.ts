/** The lines of a consultation's chat, in the order they came, and what waits to be sent. */

export interface ChatLine {
  id: string
  /** Identity of who wrote it. */
  identity: string
  name: string
  org: string
  text: string
  /** Milliseconds. */
  at: number
  mine: boolean
  /** Own lines: not sent yet, or refused. */
  state: 'sent' | 'waiting' | 'sending' | 'failed'
}

export interface Note {
  id: string
  at: number
  /** Key of the sentence and what stands in it. */
  note: 'joined' | 'left' | 'lost' | 'back' | 'recordingStarted' | 'recordingStopped' | 'cameraIn' | 'cameraOut'
  name: string
}

export type Entry = ChatLine | Note

export const longest = 4000
const keepEntries = 2000

export function isNote(entry: Entry): entry is Note {
  return 'note' in entry
}

/**
 * One log for a consultation. Clients may send a line both as a text stream and as an old chat packet, with one id;
 * it is shown once. A later packet with a known id is an edit when the text differs.
 */
export class ChatLog {
  private list: Entry[] = []

  get entries(): readonly Entry[] {
    return this.list
  }

  receive(line: Omit<ChatLine, 'state' | 'mine'>): void {
    const known = this.list.findIndex(
      entry => entry.id === line.id && !isNote(entry) && entry.identity === line.identity,
    )
    if (known >= 0) {
      this.list = this.list.map((entry, i) => (i === known ? { ...entry, text: line.text } : entry))
      return
    }
    this.push({ ...line, text: line.text.slice(0, longest), mine: false, state: 'sent' })
  }

  note(note: Note): void {
    if (!this.list.some(entry => entry.id === note.id)) this.push(note)
  }

  /** Own line; `state` is waiting when there is no connection. */
  write(line: Omit<ChatLine, 'state' | 'mine'>, connected: boolean): void {
    this.push({ ...line, mine: true, state: connected ? 'sending' : 'waiting' })
  }

  settle(id: string, state: ChatLine['state']): void {
    this.list = this.list.map(entry => (entry.id === id && !isNote(entry) ? { ...entry, state } : entry))
  }

  /** What goes out when the connection is back, oldest first. */
  waiting(): ChatLine[] {
    return this.list.filter((entry): entry is ChatLine => !isNote(entry) && entry.mine && entry.state === 'waiting')
  }

  private push(entry: Entry): void {
    this.list = [...this.list, entry].slice(-keepEntries)
  }
}
