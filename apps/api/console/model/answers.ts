import { countsOf, fieldsOf, listOf, numberOf, numberOrNull, textOf, textOrNull, type Fields } from './read.ts'

/** The answers of the JSON API, as far as the console shows them. Times are ISO 8601. */
export interface Fault {
  readonly code: string
  readonly message: string
  readonly statusCode: number | null
  readonly details: unknown
}

export interface Job {
  readonly id: string
  readonly kind: string
  readonly plugin: string
  readonly name: string
  readonly state: string
  readonly priority: number
  readonly attempt: number
  readonly maxAttempts: number
  readonly payload: unknown
  readonly result: unknown
  readonly error: Fault | null
  readonly errorFingerprint: string | null
  readonly requestedAt: string
  readonly runAt: string | null
  readonly startedAt: string | null
  readonly finishedAt: string | null
  readonly correlationId: string | null
  readonly causationId: string | null
  readonly replayOf: string | null
  readonly root: string | null
  readonly replayId: string | null
  readonly idempotencyKey: string | null
  readonly pluginVersion: string | null
}

export function jobOf(fields: Fields): Job {
  return {
    id: textOf(fields['job_id']),
    kind: textOf(fields['kind']),
    plugin: textOf(fields['plugin']),
    name: textOf(fields['name']),
    state: textOf(fields['state']),
    priority: numberOf(fields['priority']),
    attempt: numberOf(fields['attempt']),
    maxAttempts: numberOf(fields['max_attempts']),
    payload: fields['payload'],
    result: fields['result'],
    error: faultOf(fields['error']),
    errorFingerprint: textOrNull(fields['error_fingerprint']),
    requestedAt: textOf(fields['requested_at']),
    runAt: textOrNull(fields['run_at']),
    startedAt: textOrNull(fields['started_at']),
    finishedAt: textOrNull(fields['finished_at']),
    correlationId: textOrNull(fields['correlation_id']),
    causationId: textOrNull(fields['causation_id']),
    replayOf: textOrNull(fields['replay_of']),
    root: textOrNull(fields['root']),
    replayId: textOrNull(fields['replay_id']),
    idempotencyKey: textOrNull(fields['idempotency_key']),
    pluginVersion: textOrNull(fields['plugin_version']),
  }
}

export function faultOf(value: unknown): Fault | null {
  const fields = fieldsOf(value)
  const code = textOrNull(fields['code'])
  if (code === null) return null
  return { code, message: textOf(fields['message']), statusCode: numberOrNull(fields['status_code']), details: fields['details'] }
}

export interface JobPage {
  readonly jobs: readonly Job[]
  readonly nextCursor: string | null
}

export function jobPageOf(value: unknown): JobPage {
  const fields = fieldsOf(value)
  return { jobs: listOf(fields['jobs'], jobOf), nextCursor: textOrNull(fields['next_cursor']) }
}

/** A job or an event that followed from a job. */
export type Caused =
  | { readonly type: 'job'; readonly job: Job; readonly caused: readonly Caused[] }
  | { readonly type: 'event'; readonly id: string; readonly name: string; readonly caused: readonly Caused[] }

export interface Story {
  readonly events: readonly Fields[]
  readonly replays: readonly Job[]
  readonly caused: readonly Caused[]
}

export function storyOf(value: unknown): Story {
  const fields = fieldsOf(value)
  return {
    events: listOf(fields['events'], (event) => event),
    replays: listOf(fields['replays'], jobOf),
    caused: causedOf(fields['caused']),
  }
}

function causedOf(value: unknown): readonly Caused[] {
  return listOf(value, (fields): Caused => {
    const caused = causedOf(fields['caused'])
    return fields['type'] === 'job'
      ? { type: 'job', job: jobOf(fields), caused }
      : { type: 'event', id: textOf(fields['event_id']), name: textOf(fields['name']), caused }
  })
}

export interface Queue {
  readonly plugin: string
  readonly waiting: number
  readonly delayed: number
  readonly running: number
  readonly oldestSeconds: number | null
  readonly rateLimit: { readonly calls: number; readonly periodSeconds: number } | null
}

export function queuesOf(value: unknown): readonly Queue[] {
  return listOf(fieldsOf(value)['queues'], (fields) => {
    const limit = fieldsOf(fields['rate_limit'])
    const calls = numberOrNull(limit['calls'])
    return {
      plugin: textOf(fields['plugin']),
      waiting: numberOf(fields['waiting']),
      delayed: numberOf(fields['delayed']),
      running: numberOf(fields['active']),
      oldestSeconds: numberOrNull(fields['oldest_waiting_seconds']),
      rateLimit: calls === null ? null : { calls, periodSeconds: numberOf(limit['period_seconds']) },
    }
  })
}

export interface Sandbox {
  readonly ring: string
  readonly state: string
  readonly circuitOpen: boolean
  readonly restarts: number
  readonly memoryMb: number | null
  readonly lastEnd: string | null
}

export interface Plugin {
  readonly name: string
  readonly version: string | null
  readonly state: string
  readonly paused: boolean
  readonly lastError: Fault | null
  readonly mode: string | null
  readonly description: string | null
  readonly sandbox: Sandbox | null
  readonly actions: readonly string[]
  readonly subscriptions: readonly string[]
}

export function pluginsOf(value: unknown): readonly Plugin[] {
  return listOf(fieldsOf(value)['plugins'], (fields) => {
    const manifest = fieldsOf(fields['manifest'])
    return {
      name: textOf(fields['name']),
      version: textOrNull(fields['version']),
      state: textOf(fields['state']),
      paused: fields['paused'] === true,
      lastError: faultOf(fields['last_error']),
      mode: textOrNull(manifest['execution_mode']),
      description: textOrNull(manifest['description']),
      sandbox: sandboxOf(fields['sandbox']),
      actions: listOf(fields['actions'], (action) => textOf(action['name'])),
      subscriptions: listOf(fields['subscriptions'], (subscription) => textOf(subscription['pattern'])),
    }
  })
}

function sandboxOf(value: unknown): Sandbox | null {
  const fields = fieldsOf(value)
  const ring = textOrNull(fields['ring'])
  if (ring === null) return null
  const end = fieldsOf(fields['last_end'])
  const reason = textOrNull(end['reason'])
  return {
    ring,
    state: textOf(fields['state']),
    circuitOpen: fields['circuit'] === 'open',
    restarts: numberOf(fields['restarts']),
    memoryMb: numberOrNull(fields['memory_mb']),
    lastEnd: reason === null ? null : [reason, textOf(end['message'])].filter((part) => part !== '').join(': '),
  }
}

/** What one process made of a command for a plugin. */
export interface ProcessResult {
  readonly process: string
  readonly role: string
  readonly state: string | null
  readonly version: string | null
  readonly error: Fault | null
}

export function processResultsOf(value: unknown): readonly ProcessResult[] {
  return listOf(fieldsOf(value)['processes'], (fields) => ({
    process: textOf(fields['process']),
    role: textOf(fields['role']),
    state: textOrNull(fields['state']),
    version: textOrNull(fields['version']),
    error: faultOf(fields['error']),
  }))
}

/** Failed and dead jobs that failed alike. */
export interface FailureGroup {
  readonly fingerprint: string
  readonly plugin: string
  readonly name: string
  readonly code: string
  readonly message: string
  readonly count: number
  readonly firstSeen: string
  readonly lastSeen: string
  readonly sampleJobId: string
}

export function failuresOf(value: unknown): readonly FailureGroup[] {
  return listOf(fieldsOf(value)['failures'], (fields) => ({
    fingerprint: textOf(fields['error_fingerprint']),
    plugin: textOf(fields['plugin']),
    name: textOf(fields['name']),
    code: textOf(fields['error_code']),
    message: textOf(fields['message']),
    count: numberOf(fields['count']),
    firstSeen: textOf(fields['first_seen']),
    lastSeen: textOf(fields['last_seen']),
    sampleJobId: textOf(fields['sample_job_id']),
  }))
}

/** Failures by code, the most frequent first. */
export function countByCode(groups: readonly FailureGroup[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>()
  for (const { code, count } of groups) counts.set(code, (counts.get(code) ?? 0) + count)
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
}

export interface Replay {
  readonly id: string
  readonly name: string
  readonly reason: string
  readonly actor: string
  readonly state: string
  readonly filter: Fields
  readonly ratePerSecond: number | null
  readonly createdAt: string
  readonly finishedAt: string | null
  readonly total: number
  readonly enqueued: number
  readonly queued: number
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
  readonly leftOut: readonly (readonly [string, number])[]
  readonly remaining: number
  readonly etaSeconds: number | null
}

export function replayOf(fields: Fields): Replay {
  return {
    id: textOf(fields['replay_id']),
    name: textOf(fields['name']),
    reason: textOf(fields['reason']),
    actor: textOf(fields['actor']),
    state: textOf(fields['state']),
    filter: fieldsOf(fields['filter']),
    ratePerSecond: numberOrNull(fields['rate_per_second']),
    createdAt: textOf(fields['created_at']),
    finishedAt: textOrNull(fields['finished_at']),
    total: numberOf(fields['total']),
    enqueued: numberOf(fields['enqueued']),
    queued: numberOf(fields['queued']),
    succeeded: numberOf(fields['succeeded']),
    failed: numberOf(fields['failed']),
    cancelled: numberOf(fields['cancelled']),
    leftOut: countsOf(fields['left_out']),
    remaining: numberOf(fields['remaining']),
    etaSeconds: numberOrNull(fields['eta_seconds']),
  }
}

export function replaysOf(value: unknown): readonly Replay[] {
  return listOf(fieldsOf(value)['replays'], replayOf)
}

export interface Schedule {
  readonly plugin: string
  readonly id: string
  readonly description: string
  readonly nextRun: string | null
  readonly lastRun: string | null
  readonly paused: boolean
}

export function schedulesOf(value: unknown): readonly Schedule[] {
  return listOf(fieldsOf(value)['schedules'], (fields) => ({
    plugin: textOf(fields['plugin']),
    id: textOf(fields['id']),
    description: textOf(fields['description']) || textOf(fields['trigger']),
    nextRun: textOrNull(fields['next_run']),
    lastRun: textOrNull(fields['last_run']),
    paused: fields['paused'] === true,
  }))
}

export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
}

/** Of an answer of /readyz?verbose, whatever its status. */
export function checksOf(value: unknown): readonly Check[] {
  return listOf(fieldsOf(value)['checks'], (fields) => ({
    name: textOf(fields['name']),
    ok: fields['ok'] === true,
    detail: textOf(fields['detail']),
  }))
}
