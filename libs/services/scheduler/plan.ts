import type { MissedPolicy } from '@xcore/sdk'
import { nextRun, runsBetween } from './trigger.ts'
import type { Trigger } from './trigger.ts'

/** A firing that is later than this was missed: there was no process to fire it, or the schedule was paused. */
export const GRACE_MS = 60_000
/** Of `missed: 'all'`, at a time. */
export const MOST_MADE_UP = 100

export interface PlanInput {
  readonly trigger: Trigger
  readonly missed: MissedPolicy
  /** When the schedule was added. Times are milliseconds since the epoch. */
  readonly anchor: number
  /** The first firing that has not been dealt with. */
  readonly nextRun: number
  readonly now: number
}

export interface Plan {
  /** What to fire now: the times that the trigger named, oldest first. */
  readonly fire: readonly number[]
  /** The latest firing up to now, whether it is made up for or dropped; null: none was due. */
  readonly latest: number | null
  /** null: it does not fire any more. */
  readonly nextRun: number | null
  /** More than 100 were missed: the older ones are dropped although the policy is `all`. */
  readonly capped: boolean
}

/** What to fire now and what comes next. Pure. */
export function plan({ trigger, missed, anchor, nextRun: first, now }: PlanInput): Plan {
  if (first > now) return { fire: [], latest: null, nextRun: first, capped: false }
  const wanted = missed === 'all' ? MOST_MADE_UP + 1 : 1
  const due = runsBetween(trigger, first, now, wanted)
  // A cron's rules may have changed since (timezones do): then the time that was stored is the one due.
  const runs = due.length === 0 ? [first] : due
  const latest = runs.at(-1) ?? first
  const fire = missed === 'skip' && now - latest > GRACE_MS ? [] : missed === 'all' ? runs.slice(-MOST_MADE_UP) : [latest]
  return { fire, latest, nextRun: nextRun(trigger, anchor, now), capped: runs.length > MOST_MADE_UP }
}
