import type { Logger } from './logger.ts'

const SILENCE_MS = 10_000

/**
 * Warnings of what fails again and again while a server is away: the same message at most every 10 seconds, in between it goes to the level
 * debug. `now`: milliseconds of any clock that does not jump.
 */
export function sparing(logger: Logger, now: () => number = () => performance.now()): (fields: object, message: string) => void {
  const last = new Map<string, number>()
  return (fields, message) => {
    const time = now()
    const isNews = time - (last.get(message) ?? -Infinity) >= SILENCE_MS
    if (isNews) last.set(message, time)
    logger[isNews ? 'warn' : 'debug'](fields, message)
  }
}
