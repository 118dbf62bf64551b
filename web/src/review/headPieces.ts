import type { ComponentType } from 'react'
import type { RecordingDetail } from '../hub/types'
import { ExportPiece } from './Export'
import { KeepingPiece } from './Keeping'

/** What a piece of the player's head knows. `range` is what is chosen on the time axis, ms; without a choice undefined. */
export interface HeadProps {
  recording: RecordingDetail
  /** ms from the start of the recording, at the moment of the call. */
  position(): number
  range: { start: number; end: number } | undefined
  seek(at: number): void
}

/**
 * Buttons and chips at the right of the player's head, in this order: what keeps a recording, what takes it out. Each is
 * a component of its own that shows nothing where the right is missing, and loads what it needs by itself.
 */
export const headPieces: readonly ComponentType<HeadProps>[] = [KeepingPiece, ExportPiece]
