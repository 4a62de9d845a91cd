import type { Readable } from 'node:stream'
import type { Logger } from '../../../../telemetry/logger.ts'
import type { FromSandbox } from '../wire/frames.ts'
import { TokenBucket } from './buckets.ts'
import { plainLine } from './plain-text.ts'
import type { StackMap } from './stack-map.ts'

type LogFrame = Extract<FromSandbox, { t: 'log' }>

const LINES_PER_SECOND = 100
const BURST = 500
/** Fields that say who speaks: the host's to set. */
const RESERVED = new Set(['plugin', 'job', 'attempt', 'correlation_id', 'level', 'time', 'msg', 'pid', 'hostname'])
const MAX_LINE = 2_000
const MAX_FRAME = 64 * 1024
/** Kept for the message of a crash. */
const KEPT_LINES = 5

/** What a sandbox says, on the wire and on its stdout and stderr, as lines of the plugin's logger: cut, and not too many. */
export class SandboxLog {
  readonly #logger: Logger
  readonly #stacks: StackMap
  readonly #lines = new TokenBucket(LINES_PER_SECOND, BURST, performance.now())
  readonly #kept: string[] = []
  #dropped = 0
  #heapLimit = false

  constructor(logger: Logger, stdout: Readable, stderr: Readable, stacks: StackMap) {
    this.#logger = logger
    this.#stacks = stacks
    this.#follow(stdout, 'stdout')
    this.#follow(stderr, 'stderr')
  }

  line(frame: LogFrame, bytes: number, workLogger: Logger | undefined): void {
    if (!this.#admitted()) return
    const fields =
      bytes > MAX_FRAME
        ? { cut: bytes }
        : Object.fromEntries(
            Object.entries(frame.fields).flatMap(([key, value]) =>
              RESERVED.has(key) || key === '__proto__' ? [] : [[plainLine(key), this.#withStack(value)]],
            ),
          )
    const logger = workLogger ?? this.#logger
    logger[frame.level](fields, plainLine(frame.message))
  }

  /** What V8 says before it aborts. */
  sawHeapLimit(): boolean {
    return this.#heapLimit
  }

  /** The last lines of stderr, to be put behind a message. */
  lastLines(): string {
    return this.#kept.length === 0
      ? ''
      : `; its last lines: ${this.#kept
          .map((line) => this.#stacks.rewrite(line))
          .filter((line) => line !== '')
          .join(' | ')}`
  }

  /** An error that was logged. */
  #withStack(value: unknown): unknown {
    if (typeof value !== 'object' || value === null || !('stack' in value) || typeof value.stack !== 'string') return value
    return { ...value, stack: plainLine(this.#stacks.rewrite(value.stack)) }
  }

  // Reads on for ever, so that the sandbox never blocks on a full pipe, and keeps at most one line.
  #follow(stream: Readable, name: 'stdout' | 'stderr'): void {
    let rest = ''
    stream.setEncoding('utf8')
    stream.on('error', () => {})
    stream.on('data', (piece: string) => {
      const lines = (rest + piece).split('\n')
      rest = (lines.pop() ?? '').slice(0, MAX_LINE)
      for (const line of lines) this.#output(line.slice(0, MAX_LINE), name)
    })
    stream.on('end', () => {
      if (rest !== '') this.#output(rest, name)
    })
  }

  #output(line: string, stream: 'stdout' | 'stderr'): void {
    if (line.trim() === '') return
    if (stream === 'stderr') {
      if (/heap out of memory|heap limit/i.test(line)) this.#heapLimit = true
      if (this.#kept.push(line.slice(0, 300)) > KEPT_LINES) this.#kept.shift()
    }
    if (this.#admitted()) this.#logger.info({ stream }, plainLine(this.#stacks.rewrite(line)))
  }

  #admitted(): boolean {
    if (!this.#lines.take(performance.now())) {
      this.#dropped += 1
      return false
    }
    if (this.#dropped > 0) {
      this.#logger.warn(
        { dropped: this.#dropped },
        `the plugin logged more than ${LINES_PER_SECOND} lines in a second; the others were dropped`,
      )
      this.#dropped = 0
    }
    return true
  }
}
