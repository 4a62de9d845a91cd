import type { Clock } from '../../../engine/clock.ts'
import type { AdvanceBy } from '../port.ts'

/** A clock that stands until it is told to go on. */
export class StandingClock implements Clock {
  #now: number

  /** `start`: milliseconds since the epoch. */
  constructor(start: number) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  /** Never goes back. */
  moveTo(time: number): void {
    this.#now = Math.max(this.#now, time)
  }
}

const MILLISECONDS = { seconds: 1000, minutes: 60_000, hours: 3_600_000, days: 86_400_000 } as const

/** Throws RangeError for anything but numbers of 0 or more. */
export function millisecondsOf(by: AdvanceBy): number {
  let sum = 0
  for (const unit of ['seconds', 'minutes', 'hours', 'days'] as const) {
    const count = by[unit] ?? 0
    if (!(Number.isFinite(count) && count >= 0)) throw new RangeError(`advance: expected ${unit} of 0 or more, found ${count}`)
    sum += count * MILLISECONDS[unit]
  }
  return sum
}
