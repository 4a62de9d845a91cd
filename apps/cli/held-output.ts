import type { DestinationStream } from 'pino'

/** Log lines on their way out, held back until the process is up. */
export interface HeldOutput extends DestinationStream {
  /** Writes the lines that `urgent` logs, then those held, and from now on every line at once. Idempotent. */
  release(urgent?: () => void): void
}

/**
 * The first log line of a process tells its URL (contract), which is known last: so lines wait for it.
 * Not longer than `maxMs` (default 30,000): a start that hangs must show what it has done.
 */
export function holdOutput(destination: DestinationStream, maxMs = 30_000): HeldOutput {
  let held: string[] | undefined = []
  const timer = setTimeout(() => release(), maxMs).unref()
  function release(urgent?: () => void): void {
    clearTimeout(timer)
    const lines = held ?? []
    held = undefined
    urgent?.()
    for (const line of lines) destination.write(line)
  }
  return {
    write(line) {
      if (held === undefined) destination.write(line)
      else held.push(line)
    },
    release,
  }
}
