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
 * Cuts a stream of bytes into frames, whatever the pieces it comes in. A frame that comes in several pieces is put together in place:
 * it takes its length in memory, however small the pieces are, and each byte is copied once.
 */
export class FrameDecoder {
  readonly #maxBytes: number
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerBytes = 0
  /** The frame that is being put together; null: none, or its header is not complete. */
  #body: Buffer | null = null
  #bodyBytes = 0

  constructor(maxBytes: number = MAX_FRAME_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** The frames that are complete now. Throws ProtocolViolation for an empty or too long one. */
  push(piece: Buffer): Buffer[] {
    const frames: Buffer[] = []
    for (let at = 0; at < piece.length;) {
      if (this.#body !== null) {
        const copied = piece.copy(this.#body, this.#bodyBytes, at)
        at += copied
        this.#bodyBytes += copied
        if (this.#bodyBytes < this.#body.length) return frames
        frames.push(this.#body)
        this.#body = null
        continue
      }
      const copied = piece.copy(this.#header, this.#headerBytes, at)
      at += copied
      this.#headerBytes += copied
      if (this.#headerBytes < HEADER_BYTES) return frames
      this.#headerBytes = 0
      const length = this.#lengthOf(this.#header)
      if (piece.length - at >= length) {
        frames.push(piece.subarray(at, at + length))
        at += length
      } else {
        this.#body = Buffer.allocUnsafe(length)
        this.#bodyBytes = 0
      }
    }
    return frames
  }

  #lengthOf(header: Buffer): number {
    const length = header.readUInt32LE(0)
    if (length > 0 && length <= this.#maxBytes) return length
    throw new ProtocolViolation(`expected a frame of 1 to ${this.#maxBytes} bytes, found one of ${length}`)
  }
}
