import type { Motion } from '../hub/cameraTypes'

/** What the hub wants to hear while a camera is moved: the word again every 250 ms, one with zeros at the end. */
export const again = 250

export const still: Motion = { pan: 0, tilt: 0, zoom: 0, focus: 0, iris: 0 }
export type Axis = keyof Motion

export interface MoverWorld {
  /** False when nobody hears it. */
  say(word: Record<string, unknown>): boolean
  after(ms: number, act: () => void): () => void
}

export function isStill(motion: Motion): boolean {
  return Object.values(motion).every(value => value === 0)
}

/**
 * The hand on the control: any number of keys and buttons are held, their movements are added up. Nothing is said about a
 * camera that nobody moves, and stop is said once, at once.
 */
export class Mover {
  private readonly held = new Map<string, Partial<Motion>>()
  private camera: string | undefined
  private cancel: (() => void) | undefined

  constructor(
    private readonly world: MoverWorld,
    private readonly changed: (motion: Motion) => void = () => undefined,
  ) {}

  /** `hand` names the key or button, so that letting it go takes away what it brought. */
  hold(camera: string, hand: string, part: Partial<Motion>): void {
    if (this.camera !== camera) this.stop()
    this.camera = camera
    this.held.set(hand, part)
    this.speak()
  }

  letGo(hand: string): void {
    if (!this.held.delete(hand)) return
    if (this.held.size === 0) this.stop()
    else this.speak()
  }

  /** Everything is let go: the pointer left, the window lost focus, another camera was selected, the hub refused. */
  stop(): void {
    this.cancel?.()
    this.cancel = undefined
    this.held.clear()
    const camera = this.camera
    this.camera = undefined
    if (camera === undefined) return
    this.world.say({ type: 'move', camera, ...still })
    this.changed(still)
  }

  get motion(): Motion {
    const sum = { ...still }
    for (const part of this.held.values()) for (const axis of Object.keys(sum) as Axis[]) sum[axis] += part[axis] ?? 0
    for (const axis of Object.keys(sum) as Axis[]) sum[axis] = Math.max(-1, Math.min(1, sum[axis]))
    return sum
  }

  get moving(): string | undefined {
    return this.camera
  }

  private speak(): void {
    this.cancel?.()
    const motion = this.motion
    this.changed(motion)
    if (this.camera !== undefined) this.world.say({ type: 'move', camera: this.camera, ...motion })
    this.cancel = this.world.after(again, () => this.speak())
  }
}
