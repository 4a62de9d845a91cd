import { Type } from 'typebox'
import type { Static } from 'typebox'
import { coloured, table } from './output.ts'

/** The members of a job (contract: GET /jobs/{id}) that the command line shows. */
export const JobBody = Type.Object({
  job_id: Type.String(),
  kind: Type.String(),
  plugin: Type.String(),
  name: Type.String(),
  state: Type.String(),
  priority: Type.Number(),
  attempt: Type.Number(),
  max_attempts: Type.Number(),
  payload: Type.Unknown(),
  result: Type.Unknown(),
  error: Type.Union([Type.Null(), Type.Object({ code: Type.String(), message: Type.Optional(Type.String()) })]),
  requested_at: Type.String(),
  run_at: Type.Union([Type.Null(), Type.String()]),
  started_at: Type.Union([Type.Null(), Type.String()]),
  finished_at: Type.Union([Type.Null(), Type.String()]),
  correlation_id: Type.String(),
  replay_of: Type.Union([Type.Null(), Type.String()]),
  root: Type.Union([Type.Null(), Type.String()]),
  error_fingerprint: Type.Union([Type.Null(), Type.String()]),
})
export type JobBody = Static<typeof JobBody>

export const JobListBody = Type.Object({ jobs: Type.Array(JobBody), next_cursor: Type.Union([Type.Null(), Type.String()]) })

export function jobTable(jobs: readonly JobBody[]): string {
  const rows = jobs.map((job) => [
    job.job_id,
    job.plugin,
    `${job.kind === 'action' ? '' : `${job.kind}:`}${job.name}`,
    colouredState(job.state),
    `${job.attempt}/${job.max_attempts}`,
    job.requested_at,
    job.error?.code ?? '',
  ])
  return table(['job', 'plugin', 'name', 'state', 'attempt', 'requested', 'error'], rows)
}

export function jobText(job: JobBody): string {
  const fields: [string, string | null][] = [
    ['job', job.job_id],
    ['what', `${job.kind} ${job.plugin}/${job.name}`],
    ['state', colouredState(job.state)],
    ['attempt', `${job.attempt} of ${job.max_attempts}`],
    ['priority', String(job.priority)],
    ['requested', job.requested_at],
    ['run at', job.run_at],
    ['started', job.started_at],
    ['finished', job.finished_at],
    ['correlation', job.correlation_id],
    ['replay of', job.replay_of],
    ['first', job.root],
    ['payload', JSON.stringify(job.payload)],
    ['result', job.result === null ? null : JSON.stringify(job.result)],
    ['error', job.error === null ? null : `${job.error.code}: ${job.error.message ?? ''}`],
    ['fingerprint', job.error_fingerprint],
  ]
  return fields
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.padEnd(12)} ${value}`)
    .join('\n')
}

export function colouredState(state: string): string {
  if (state === 'succeeded') return coloured('green', state)
  if (state === 'failed' || state === 'dead') return coloured('red', state)
  if (state === 'retrying') return coloured('yellow', state)
  return state
}
