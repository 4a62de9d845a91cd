/** Named schemas of the platform's own bodies, as the contract has them. */
export type Node = Readonly<Record<string, unknown>>

export const ref = (name: string): Node => ({ $ref: `#/components/schemas/${name}` })
export const json = (schema: Node): Node => ({ content: { 'application/json': { schema } } })

const TEXT: Node = { type: 'string' }
const ID: Node = { type: 'string', format: 'uuid' }
const WHOLE: Node = { type: 'integer', minimum: 0 }
const TIME: Node = { type: 'string', format: 'date-time' }
const ANY: Node = {}
const orNull = (schema: Node): Node => ({ anyOf: [schema, { type: 'null' }] })
const listOf = (items: Node): Node => ({ type: 'array', items })
const object = (properties: Node, required: readonly string[] = Object.keys(properties)): Node => ({ type: 'object', required, properties })

const JobError = object({ code: TEXT, message: TEXT, status_code: { type: 'integer', minimum: 400, maximum: 599 }, details: ANY }, [
  'code',
  'message',
])
const Job = object({
  job_id: ID,
  kind: { enum: ['action', 'event', 'schedule'] },
  plugin: TEXT,
  name: TEXT,
  state: { enum: ['scheduled', 'queued', 'active', 'retrying', 'succeeded', 'failed', 'dead', 'cancelled'] },
  priority: { type: 'integer', minimum: 0, maximum: 100 },
  attempt: WHOLE,
  max_attempts: WHOLE,
  payload: ANY,
  result: orNull({ type: 'object' }),
  error: orNull(ref('JobError')),
  requested_at: TIME,
  run_at: TIME,
  started_at: orNull(TIME),
  finished_at: orNull(TIME),
  correlation_id: ID,
  causation_id: orNull(ID),
  replay_of: orNull(ID),
  idempotency_key: orNull(TEXT),
  plugin_version: TEXT,
})
const Plugin = object(
  {
    name: TEXT,
    version: orNull(TEXT),
    state: { enum: ['discovered', 'loading', 'ready', 'draining', 'unloaded', 'failed'] },
    paused: { type: 'boolean' },
    last_error: orNull(object({ code: TEXT, message: TEXT })),
    folder: TEXT,
    manifest: orNull({ type: 'object' }),
    actions: listOf(object({ name: TEXT, input: orNull({ type: 'object' }) })),
    subscriptions: listOf(object({ id: TEXT, pattern: TEXT, priority: WHOLE })),
  },
  ['name', 'version', 'state', 'last_error', 'manifest'],
)
const Schedule = object(
  {
    plugin: TEXT,
    id: TEXT,
    trigger: { enum: ['interval', 'cron', 'date'] },
    description: TEXT,
    next_run: orNull(TIME),
    last_run: orNull(TIME),
    paused: { type: 'boolean' },
    missed: { enum: ['once', 'skip', 'all'] },
    args: listOf(ANY),
  },
  ['plugin', 'id', 'trigger', 'next_run', 'last_run', 'paused'],
)
const Queue = object(
  { plugin: TEXT, depth: WHOLE, waiting: WHOLE, delayed: WHOLE, active: WHOLE, oldest_waiting_seconds: orNull({ type: 'number' }) },
  ['plugin', 'depth'],
)

export const SCHEMAS: Node = {
  Accepted: object({ job_id: ID, status: { const: 'queued' }, plugin: TEXT, action: TEXT }),
  Outcome: object({ status: { enum: ['ok', 'error'] }, plugin: TEXT, action: TEXT, job_id: ID, result: { type: 'object' } }),
  ErrorOutcome: {
    allOf: [
      ref('Outcome'),
      object({
        status: { const: 'error' },
        result: object({ status: { const: 'error' }, msg: TEXT, code: TEXT, details: ANY }, ['status', 'msg', 'code']),
      }),
    ],
  },
  Job,
  JobError,
  JobPage: object({ jobs: listOf(ref('Job')), next_cursor: orNull(TEXT) }),
  JobHistory: object({ events: listOf(object({ type: TEXT, recorded_at: TIME }, ['type'])) }),
  Plugin,
  PluginList: object({ plugins: listOf(ref('Plugin')) }),
  PluginVersions: object({
    plugin: TEXT,
    versions: listOf(object({ version: TEXT, first_seen: TIME, actions: listOf({ type: 'object' }) })),
  }),
  Schedule,
  ScheduleList: object({ schedules: listOf(ref('Schedule')) }),
  QueueList: object({ queues: listOf(Queue) }),
  Emitted: object({ event_id: TEXT, jobs: listOf(ID) }),
  Health: object(
    { status: { const: 'ok' }, checks: listOf(object({ name: TEXT, ok: { type: 'boolean' }, detail: TEXT }, ['name', 'ok'])) },
    ['status'],
  ),
  Problem: object(
    {
      type: TEXT,
      title: TEXT,
      status: { type: 'integer' },
      code: TEXT,
      detail: TEXT,
      errors: listOf(object({ path: TEXT, message: TEXT })),
      details: ANY,
      correlation_id: ID,
    },
    ['type', 'title', 'status', 'code', 'detail'],
  ),
  CloudEvent: object({ specversion: { const: '1.0' }, id: TEXT, source: TEXT, type: TEXT, time: TIME, data: ANY }, [
    'specversion',
    'id',
    'source',
    'type',
  ]),
}
