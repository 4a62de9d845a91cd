import type { Duplex } from 'node:stream'
import { MAX_FRAME_BYTES, FrameDecoder, ProtocolViolation, encodeFrames } from './framing.ts'

export interface ChannelOptions {
  readonly stream: Duplex
  /** Called with each frame's parsed JSON and its bytes. What it throws ends the channel as a violation. */
  readonly onFrame: (frame: unknown, bytes: number) => void
  /** Called with each piece that is read. */
  readonly onRead?: () => void
  /** Called once: the other end is gone, or `violation` says what it did. Nothing is read or written afterwards. */
  readonly onEnd: (violation: ProtocolViolation | null) => void
  /** Bytes that may wait for the other end to read them; more is a violation. Default: no limit. */
  readonly maxUnreadBytes?: number
}

/**
 * One end of the wire between host and sandbox. Frames sent in one turn of the event loop leave in one write. Knows nothing of
 * what frames mean.
 */
export class Channel {
  readonly #options: ChannelOptions
  readonly #decoder = new FrameDecoder()
  #outgoing: string[] = []
  #ended = false

  constructor(options: ChannelOptions) {
    this.#options = options
    const { stream } = options
    stream.on('data', (piece: Buffer) => this.#read(piece))
    stream.on('error', () => this.end(null))
    stream.on('close', () => this.end(null))
    stream.on('end', () => this.end(null))
  }

  get ended(): boolean {
    return this.#ended
  }

  /** The frame as JSON; false: it is longer than a frame may be and was not sent. */
  send(frame: object): boolean {
    const text = JSON.stringify(frame)
    // A character takes up to 3 bytes: only what is near the limit is measured.
    if (text.length * 3 > MAX_FRAME_BYTES && Buffer.byteLength(text) > MAX_FRAME_BYTES) return false
    if (this.#ended) return true
    if (this.#outgoing.push(text) === 1) process.nextTick(() => this.#flush())
    return true
  }

  pause(): void {
    this.#options.stream.pause()
  }

  resume(): void {
    if (!this.#ended) this.#options.stream.resume()
  }

  end(violation: ProtocolViolation | null): void {
    if (this.#ended) return
    this.#flush()
    this.#ended = true
    this.#options.stream.destroy()
    this.#options.onEnd(violation)
  }

  #flush(): void {
    if (this.#outgoing.length === 0 || this.#ended) return
    const texts = this.#outgoing
    this.#outgoing = []
    const { stream, maxUnreadBytes = Infinity } = this.#options
    if (!stream.destroyed) stream.write(encodeFrames(texts))
    if (stream.writableLength > maxUnreadBytes) {
      this.end(new ProtocolViolation(`does not read: ${stream.writableLength} bytes wait for it`))
    }
  }

  #read(piece: Buffer): void {
    this.#options.onRead?.()
    try {
      for (const frame of this.#decoder.push(piece)) {
        if (this.#ended) return
        this.#options.onFrame(JSON.parse(frame.toString('utf8')), frame.length)
      }
    } catch (thrown) {
      this.end(
        thrown instanceof ProtocolViolation ? thrown : new ProtocolViolation(`sent what is no frame: ${String(thrown).slice(0, 200)}`),
      )
    }
  }
}
