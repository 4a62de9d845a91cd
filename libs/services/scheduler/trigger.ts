import { Cron } from 'croner'

/** When a schedule fires. Stored as jsonb; two schedules with equal triggers run at the same times (an interval: from its own anchor). */
export type Trigger =
  | { readonly kind: 'interval'; readonly every_ms: number }
  | { readonly kind: 'cron'; readonly cron: string; readonly timezone: string }
  /** `at`: ISO 8601, UTC. */
  | { readonly kind: 'date'; readonly at: string }

// All times here are milliseconds since the epoch. `anchor`: when the schedule was added; intervals are counted from it, so they do
// not drift however late a firing is.

/** The first firing of a schedule that is added at `anchor`; null: it never fires. Pure. */
export function firstRun(trigger: Trigger, anchor: number): number | null {
  return trigger.kind === 'date' ? Date.parse(trigger.at) : nextRun(trigger, anchor, anchor)
}

/** The first firing later than `after`; null: there is none. Pure. */
export function nextRun(trigger: Trigger, anchor: number, after: number): number | null {
  switch (trigger.kind) {
    case 'interval':
      return anchor + Math.max(1, Math.floor((after - anchor) / trigger.every_ms) + 1) * trigger.every_ms
    case 'cron':
      return cronOf(trigger).nextRun(new Date(after))?.getTime() ?? null
    case 'date':
      return Date.parse(trigger.at) > after ? Date.parse(trigger.at) : null
  }
}

/** The latest firings from `from` (itself one) to `until`, both included, at most `limit`, oldest first. Pure. */
export function runsBetween(trigger: Trigger, from: number, until: number, limit: number): number[] {
  if (until < from) return []
  switch (trigger.kind) {
    case 'interval': {
      const count = Math.floor((until - from) / trigger.every_ms) + 1
      const first = Math.max(0, count - limit)
      return Array.from({ length: count - first }, (_, index) => from + (first + index) * trigger.every_ms)
    }
    case 'cron': {
      // Firings fall on whole seconds; croner leaves out the reference itself.
      const reference = (Math.floor(until / 1000) + 1) * 1000
      const latest = cronOf(trigger).previousRuns(limit, new Date(reference))
      return latest
        .map((run) => run.getTime())
        .filter((run) => run >= from && run <= until)
        .reverse()
    }
    case 'date':
      return [from]
  }
}

/** `every 300 s`, `30 2 * * * (Europe/Stockholm)`, `at 2030-01-01T00:00:00.000Z`. */
export function describeTrigger(trigger: Trigger): string {
  switch (trigger.kind) {
    case 'interval':
      return `every ${trigger.every_ms / 1000} s`
    case 'cron':
      return `${trigger.cron} (${trigger.timezone})`
    case 'date':
      return `at ${trigger.at}`
  }
}

// 40 µs to make one with a timezone, and the leader asks for the same ones again and again.
const parsed = new Map<string, Cron>()
const MAX_PARSED = 1_000

/** Throws croner's errors for an expression or timezone that it does not know. */
export function cronOf({ cron, timezone }: { readonly cron: string; readonly timezone: string }): Cron {
  const key = `${timezone} ${cron}`
  const known = parsed.get(key)
  if (known !== undefined) return known
  // `no-wildcard`: what names its hours and minutes runs once a day also on the days that clocks change (in the gap: right after it;
  // in the hour that comes twice: the first time). What repeats (`*`, `/`) goes on by the clock on the wall.
  const made = new Cron(cron, { timezone, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard' })
  if (parsed.size >= MAX_PARSED) parsed.clear()
  parsed.set(key, made)
  return made
}
