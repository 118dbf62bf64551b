/** Ranges of several files in one answer, taken apart while it comes: each has a head of 16 bytes. */

export interface Piece {
  /** HTTP's: 206, 416 behind the end of the file, or why there is nothing. */
  status: number
  /** Of the whole file. */
  size: number
  bytes: Uint8Array<ArrayBuffer>
}

const headSize = 16

export class PieceReader {
  private readonly head = new Uint8Array(headSize)
  private headLength = 0
  private piece: Piece | undefined
  private filled = 0

  /** What is whole now. */
  receive(data: Uint8Array): Piece[] {
    const whole: Piece[] = []
    let at = 0
    for (;;) {
      if (!this.piece) {
        const part = data.subarray(at, at + headSize - this.headLength)
        this.head.set(part, this.headLength)
        this.headLength += part.length
        at += part.length
        if (this.headLength < headSize) return whole
        this.begin()
      }
      const { piece } = this
      if (!piece) return whole
      const part = data.subarray(at, at + piece.bytes.length - this.filled)
      piece.bytes.set(part, this.filled)
      this.filled += part.length
      at += part.length
      if (this.filled < piece.bytes.length) return whole
      whole.push(piece)
      this.piece = undefined
    }
  }

  private begin(): void {
    const view = new DataView(this.head.buffer)
    const size = view.getUint32(8) * 2 ** 32 + view.getUint32(12)
    this.piece = { status: view.getUint32(0), size, bytes: new Uint8Array(view.getUint32(4)) }
    this.filled = 0
    this.headLength = 0
  }
}
