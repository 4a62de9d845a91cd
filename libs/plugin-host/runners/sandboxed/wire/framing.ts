/** Bytes of one frame's JSON, both ways; a longer one is refused before it is buffered. */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024
const HEADER_BYTES = 4

/** Something on the wire that a well-behaved end never sends. */
export class ProtocolViolation extends Error {
  override readonly name = 'ProtocolViolation'
}

/** Frames as bytes: u32le length and the JSON text in UTF-8, one after the other. */
export function encodeFrames(texts: readonly string[]): Buffer {
  const lengths = texts.map((text) => Buffer.byteLength(text))
  const bytes = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + HEADER_BYTES + length, 0))
  let at = 0
  texts.forEach((text, index) => {
    const length = lengths[index] ?? 0
    bytes.writeUInt32LE(length, at)
    bytes.write(text, at + HEADER_BYTES, length, 'utf8')
    at += HEADER_BYTES + length
  })
  return bytes
}

/**
 * Cuts a stream of bytes into frames, whatever the pieces it comes in. Holds at most one unfinished frame, and copies each byte
 * at most once: many small pieces of a large frame are only joined when it is complete.
 */
export class FrameDecoder {
  readonly #maxBytes: number
  #pieces: Buffer[] = []
  #held = 0
  /** Of the frame that is being read; null: its header is not complete. */
  #wanted: number | null = null

  constructor(maxBytes: number = MAX_FRAME_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** The frames that are complete now. Throws ProtocolViolation for an empty or too long one. */
  push(piece: Buffer): Buffer[] {
    this.#pieces.push(piece)
    this.#held += piece.length
    const frames: Buffer[] = []
    for (;;) {
      if (this.#wanted === null) {
        if (this.#held < HEADER_BYTES) return frames
        this.#wanted = this.#take(HEADER_BYTES).readUInt32LE(0)
        if (this.#wanted === 0 || this.#wanted > this.#maxBytes) {
          throw new ProtocolViolation(`expected a frame of 1 to ${this.#maxBytes} bytes, found one of ${this.#wanted}`)
        }
      }
      if (this.#held < this.#wanted) return frames
      frames.push(this.#take(this.#wanted))
      this.#wanted = null
    }
  }

  #take(length: number): Buffer {
    const [first] = this.#pieces
    if (first !== undefined && first.length >= length) {
      this.#held -= length
      if (first.length === length) this.#pieces.shift()
      else this.#pieces[0] = first.subarray(length)
      return first.subarray(0, length)
    }
    const all = Buffer.concat(this.#pieces)
    this.#pieces = all.length > length ? [all.subarray(length)] : []
    this.#held -= length
    return all.subarray(0, length)
  }
}
