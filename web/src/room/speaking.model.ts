/** The ring comes after 300 ms of speech and goes 1 s after the last: it must not flicker between words. */

export const onAfter = 300
export const offAfter = 1000

interface Voice {
  speaking: boolean
  /** When `speaking` last changed. */
  at: number
  ring: boolean
  /** Since when the ring is shown. */
  since: number
}

export class SpeakingGate {
  private readonly voices = new Map<string, Voice>()

  hear(identity: string, speaking: boolean, now: number): void {
    const voice = this.voices.get(identity)
    if (!voice) {
      if (speaking) this.voices.set(identity, { speaking, at: now, ring: false, since: 0 })
      return
    }
    this.settle(voice, now)
    if (voice.speaking === speaking) return
    voice.speaking = speaking
    voice.at = now
  }

  forget(identity: string): void {
    this.voices.delete(identity)
  }

  /** Who has the ring, and since when. */
  rings(now: number): Map<string, number> {
    const shown = new Map<string, number>()
    for (const [identity, voice] of this.voices) {
      this.settle(voice, now)
      if (voice.ring) shown.set(identity, voice.since)
      else if (!voice.speaking) this.voices.delete(identity)
    }
    return shown
  }

  /** When a ring comes or goes by itself; undefined when nothing is pending. */
  deadline(): number | undefined {
    const due = [...this.voices.values()].flatMap(voice =>
      voice.speaking === voice.ring ? [] : [voice.at + (voice.speaking ? onAfter : offAfter)],
    )
    return due.length ? Math.min(...due) : undefined
  }

  private settle(voice: Voice, now: number): void {
    if (voice.speaking === voice.ring) return
    const due = voice.at + (voice.speaking ? onAfter : offAfter)
    if (now < due) return
    voice.ring = voice.speaking
    if (voice.ring) voice.since = voice.at
  }
}
