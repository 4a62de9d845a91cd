import type { HistoryEntry, Job } from './jobs.ts'
import { CONDUCTS } from './receiver.ts'
import type { Receiver } from './receiver.ts'

export interface EndpointReport {
  readonly name: string
  readonly says: string
  readonly jobs: number
  readonly firstTry: number
  readonly afterRetries: number
  readonly failed: number
  readonly dead: number
  /** What the receiver itself counted as accepted. */
  readonly accepted: number
  readonly requests: number
}

/** One line for each endpoint: XCore's count beside the receiver's. */
export function reportOf(jobs: readonly Job[], receiver: Receiver): readonly EndpointReport[] {
  return CONDUCTS.map(({ name, says }) => {
    const own = jobs.filter((job) => job.payload.endpoint_id === name)
    const succeeded = own.filter((job) => job.state === 'succeeded')
    const firstTry = succeeded.filter((job) => job.attempt === 1).length
    const tally = receiver.tally(name)
    return {
      name,
      says,
      jobs: own.length,
      firstTry,
      afterRetries: succeeded.length - firstTry,
      failed: own.filter((job) => job.state === 'failed').length,
      dead: own.filter((job) => job.state === 'dead').length,
      accepted: tally.accepted.size,
      requests: tally.requests,
    }
  })
}

export function table(reports: readonly EndpointReport[]): string {
  const header = ['endpoint', 'what it does', 'jobs', 'at once', 'retried', 'failed', 'dead', 'received', 'requests']
  const rows = reports.map((report) => [
    report.name,
    report.says,
    ...[report.jobs, report.firstTry, report.afterRetries, report.failed, report.dead, report.accepted, report.requests].map(String),
  ])
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  return [header, ...rows]
    .map((row) =>
      row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  '),
    )
    .map((line) => `  ${line}`)
    .join('\n')
}

/** What must hold after a run; each entry is a promise that was broken. */
export function broken(jobs: readonly Job[], reports: readonly EndpointReport[], receiver: Receiver): readonly string[] {
  const wrong: string[] = []
  const unsettled = jobs.filter((job) => !['succeeded', 'failed', 'dead'].includes(job.state))
  if (unsettled.length > 0) wrong.push(`${unsettled.length} deliveries have no outcome`)
  for (const { name, firstTry, afterRetries, accepted, jobs: count } of reports) {
    const tally = receiver.tally(name)
    if (count === 0) wrong.push(`${name}: nothing was delivered`)
    if (firstTry + afterRetries !== accepted)
      wrong.push(`${name}: ${firstTry + afterRetries} jobs succeeded, but the receiver accepted ${accepted}`)
    if (tally.badSignatures > 0) wrong.push(`${name}: ${tally.badSignatures} signatures did not verify`)
    if (tally.tooEarly > 0) wrong.push(`${name}: ${tally.tooEarly} retries came before Retry-After was over`)
  }
  const of = (name: string) => reports.find((report) => report.name === name)
  for (const name of ['flaky', 'busy', 'slow'])
    if (of(name)?.afterRetries !== of(name)?.jobs) wrong.push(`${name}: not every delivery was retried to success`)
  const reliable = of('reliable')
  if (reliable === undefined || reliable.firstTry + reliable.afterRetries !== reliable.jobs)
    wrong.push('reliable: not every delivery succeeded')
  if (of('gone')?.failed !== of('gone')?.jobs) wrong.push('gone: 410 was not final')
  if (of('down')?.dead !== of('down')?.jobs) wrong.push('down: not every delivery is dead')
  return wrong
}

/** One entry of a job's history, e.g. `14:22:19.594  job.attempt_failed  attempt 1: endpoint_unavailable: …; again at 14:22:20.589`. */
export function historyLine({ recorded_at: at, type, attempt, error, retry_at: retryAt }: HistoryEntry): string {
  const time = (iso: string) => iso.slice(11, 23)
  const what = [
    ...(attempt === undefined ? [] : [`attempt ${attempt}`]),
    ...(error === undefined ? [] : [`${error.code}: ${error.message}`]),
  ].join(': ')
  const next = typeof retryAt === 'string' ? `; again at ${time(retryAt)}` : ''
  return `${time(at)}  ${type.padEnd(18)}  ${what}${next}`.trimEnd()
}
