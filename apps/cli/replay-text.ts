import { Type } from 'typebox'
import type { Static } from 'typebox'
import { coloured, table } from './output.ts'

const Counts = Type.Record(Type.String(), Type.Number())
const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) => Type.Union([Type.Null(), type])

/** The answer to a dry run (contract: POST /replays). */
export const PlanBody = Type.Object({
  matched: Type.Number(),
  checked: Type.Number(),
  to_replay: Type.Number(),
  by_plugin: Counts,
  by_name: Counts,
  by_error: Counts,
  left_out: Counts,
  invalid: Type.Array(
    Type.Object({
      plugin: Type.String(),
      name: Type.String(),
      errors: Type.Array(Type.Object({ path: Type.String(), message: Type.String() })),
    }),
  ),
  unhandled: Type.Array(Type.Object({ plugin: Type.String(), name: Type.String(), count: Type.Number(), why: Type.String() })),
  sample: Type.Array(Type.Record(Type.String(), Type.Unknown())),
})
export type PlanBody = Static<typeof PlanBody>

export const ReplayBody = Type.Object({
  replay_id: Type.String(),
  name: Type.String(),
  reason: Type.String(),
  actor: Type.String(),
  state: Type.String(),
  filter: Type.Record(Type.String(), Type.Unknown()),
  rate_per_second: Nullable(Type.Number()),
  created_at: Type.String(),
  finished_at: Nullable(Type.String()),
  total: Type.Number(),
  enqueued: Type.Number(),
  queued: Type.Number(),
  succeeded: Type.Number(),
  failed: Type.Number(),
  cancelled: Type.Number(),
  left_out: Counts,
  remaining: Type.Number(),
  eta_seconds: Nullable(Type.Number()),
})
export type ReplayBody = Static<typeof ReplayBody>
export const ReplayListBody = Type.Object({ replays: Type.Array(ReplayBody) })
export const ReplayedBody = Type.Object({ job_id: Type.String(), replay_of: Type.String() })

export const FailuresBody = Type.Object({
  failures: Type.Array(
    Type.Object({
      error_fingerprint: Type.String(),
      plugin: Type.String(),
      name: Type.String(),
      error_code: Type.String(),
      message: Type.String(),
      count: Type.Number(),
      first_seen: Type.String(),
      last_seen: Type.String(),
      sample_job_id: Type.String(),
    }),
  ),
})

const LEFT_OUT: Readonly<Record<string, string>> = {
  already_succeeded: 'were replayed with success since',
  superseded: 'have a later replay that failed or is under way',
  under_way: 'are being delivered now',
  unhandled: 'have no handler now',
  unsafe: 'are marked `replay: unsafe` (take them with --force)',
  invalid: 'do not fit the present schema',
}

/** What a replay would do. */
export function planText(plan: PlanBody): string {
  const lines = [`matched    ${plan.matched}${plan.checked === 0 ? '' : countsText(plan.by_plugin)}`]
  if (Object.keys(plan.by_name).length > 1) lines.push(`by name   ${countsText(plan.by_name)}`)
  if (Object.keys(plan.by_error).length > 0) lines.push(`by error  ${countsText(plan.by_error)}`)
  lines.push(`to replay  ${coloured('bold', String(plan.to_replay))}`)
  for (const [reason, count] of Object.entries(plan.left_out)) lines.push(`left out   ${count} ${LEFT_OUT[reason] ?? reason}`)
  for (const { plugin, name, count, why } of plan.unhandled) lines.push(`           ${count} ${plugin}/${name}: ${why}`)
  for (const { plugin, name, errors } of plan.invalid.slice(0, 5)) {
    lines.push(`           ${plugin}/${name}: ${errors.map((error) => `${error.path} ${error.message}`).join('; ')}`)
  }
  if (plan.checked < plan.matched && plan.checked > 0) lines.push(`           (the first ${plan.checked} were looked at one by one)`)
  return lines.join('\n')
}

function countsText(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts)
  const shown = entries.slice(0, 8).map(([name, count]) => `${name} ${count}`)
  return ` (${[...shown, ...(entries.length > 8 ? [`${entries.length - 8} more`] : [])].join(', ')})`
}

export function replayTable(replays: readonly ReplayBody[]): string {
  const rows = replays.map((replay) => [
    replay.replay_id,
    replay.name,
    colouredState(replay.state),
    `${done(replay)}/${replay.total}`,
    String(replay.succeeded),
    String(replay.failed),
    replay.actor,
    replay.created_at,
  ])
  return table(['replay', 'name', 'state', 'done', 'succeeded', 'failed', 'by', 'started'], rows)
}

export function replayText(replay: ReplayBody): string {
  const fields: [string, string | null][] = [
    ['replay', replay.replay_id],
    ['name', replay.name],
    ['reason', replay.reason],
    ['by', replay.actor],
    ['state', colouredState(replay.state)],
    ['filter', JSON.stringify(replay.filter)],
    ['rate', replay.rate_per_second === null ? 'as fast as it goes' : `${replay.rate_per_second}/s`],
    ['started', replay.created_at],
    ['finished', replay.finished_at],
    ['progress', `${done(replay)} of ${replay.total} done, ${replay.queued} queued, ${replay.remaining} to look at`],
    ['outcome', outcomeText(replay)],
    ['eta', replay.eta_seconds === null ? null : `${replay.eta_seconds} s`],
  ]
  return fields
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.padEnd(12)} ${value}`)
    .join('\n')
}

export function outcomeText(replay: ReplayBody): string {
  const parts = [`${replay.succeeded} succeeded`, `${replay.failed} failed`]
  if (replay.cancelled > 0) parts.push(`${replay.cancelled} cancelled`)
  const leftOut = leftOutOf(replay)
  if (leftOut > 0) parts.push(`${leftOut} left out`)
  return parts.join(', ')
}

/** Items that nothing more happens to. */
export function done(replay: ReplayBody): number {
  return replay.succeeded + replay.failed + replay.cancelled + leftOutOf(replay)
}

function leftOutOf(replay: ReplayBody): number {
  return Object.values(replay.left_out).reduce((sum, count) => sum + count, 0)
}

export function failureTable(failures: Static<typeof FailuresBody>['failures']): string {
  const rows = failures.map((group) => [
    group.error_fingerprint,
    String(group.count),
    `${group.plugin}/${group.name}`,
    coloured('red', group.error_code),
    group.last_seen,
    group.message.slice(0, 80),
  ])
  return table(['fingerprint', 'count', 'what', 'code', 'last seen', 'message'], rows)
}

function colouredState(state: string): string {
  if (state === 'completed') return coloured('green', state)
  if (state === 'stopped' || state === 'cancelled') return coloured('red', state)
  if (state === 'paused') return coloured('yellow', state)
  return state
}
