/** Upper bounds in seconds, 5 ms to 30 min: a job may wait for milliseconds or behind a long queue. */
const JOB_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800] as const
/** Upper bounds in seconds for work that a caller waits for: 1 ms to 60 s, the longest `Prefer: wait`. */
const CALL_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const

export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** As exported, with the prefix. */
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  /** Of histograms: upper bounds in seconds. */
  readonly buckets?: readonly number[]
}

/**
 * Every metric that XCore exports about itself. docs/metrics.md is tested against this list in both directions.
 * Ids (of jobs, events, requests) are never labels.
 */
export const METRIC_CATALOGUE = {
  jobsSubmittedTotal: {
    type: 'counter',
    name: 'xcore_jobs_submitted_total',
    help: 'Jobs accepted: committed in Postgres.',
    labels: ['plugin', 'kind', 'source'],
  },
  jobsFinishedTotal: {
    type: 'counter',
    name: 'xcore_jobs_finished_total',
    help: 'Jobs that reached a terminal state (outcome: succeeded, failed, dead, cancelled).',
    labels: ['plugin', 'kind', 'name', 'outcome'],
  },
  jobAttemptsFailedTotal: {
    type: 'counter',
    name: 'xcore_job_attempts_failed_total',
    help: 'Attempts that did not succeed, by error code.',
    labels: ['plugin', 'name', 'code'],
  },
  jobWaitSeconds: {
    type: 'histogram',
    name: 'xcore_job_wait_seconds',
    help: 'From when an attempt was due to its start.',
    labels: ['plugin'],
    buckets: JOB_SECONDS,
  },
  jobRunSeconds: {
    type: 'histogram',
    name: 'xcore_job_run_seconds',
    help: 'How long a handler ran in one attempt.',
    labels: ['plugin', 'name', 'outcome'],
    buckets: JOB_SECONDS,
  },
  jobEndToEndSeconds: {
    type: 'histogram',
    name: 'xcore_job_end_to_end_seconds',
    help: 'From request to terminal state, without the delay that the caller asked for.',
    labels: ['plugin'],
    buckets: JOB_SECONDS,
  },
  queueJobs: {
    type: 'gauge',
    name: 'xcore_queue_jobs',
    help: 'Jobs on the queue (state: queued, scheduled, active). A job that waits for its next attempt counts as scheduled.',
    labels: ['plugin', 'state'],
  },
  queueOldestWaitingSeconds: {
    type: 'gauge',
    name: 'xcore_queue_oldest_waiting_seconds',
    help: 'For how long the job that has waited longest is due.',
    labels: ['plugin'],
  },
  workerSlots: {
    type: 'gauge',
    name: 'xcore_worker_slots',
    help: 'Jobs of the plugin that this process may run at once.',
    labels: ['plugin'],
  },
  workerSlotsBusy: {
    type: 'gauge',
    name: 'xcore_worker_slots_busy',
    help: 'Jobs of the plugin that this process runs now.',
    labels: ['plugin'],
  },
  rateLimitedTotal: {
    type: 'counter',
    name: 'xcore_rate_limited_total',
    help: 'Times that a claim or a request was held back by the rate limit of the plugin.',
    labels: ['plugin'],
  },
  jobsStalledTotal: {
    type: 'counter',
    name: 'xcore_jobs_stalled_total',
    help: 'Attempts lost because their worker stopped answering.',
    labels: ['plugin'],
  },
  jobsDeduplicatedTotal: {
    type: 'counter',
    name: 'xcore_jobs_deduplicated_total',
    help: 'Requests answered with an earlier job (idempotency key, or event source and id).',
    labels: ['plugin'],
  },
  handlersAbandonedTotal: {
    type: 'counter',
    name: 'xcore_handlers_abandoned_total',
    help: 'Hung handlers given up at their timeout; they may still run.',
    labels: ['plugin'],
  },
  eventsAppendedTotal: {
    type: 'counter',
    name: 'xcore_events_appended_total',
    help: 'Log events written (result: ok, error).',
    labels: ['result'],
  },
  eventAppendSeconds: {
    type: 'histogram',
    name: 'xcore_event_append_seconds',
    help: 'How long a transaction that appends a batch to the log took.',
    labels: [],
    buckets: CALL_SECONDS,
  },
  eventlogHorizonLagSeconds: {
    type: 'gauge',
    name: 'xcore_eventlog_horizon_lag_seconds',
    help: 'Age of the oldest open transaction that ordered readers of the log wait for.',
    labels: [],
  },
  replayItemsTotal: { type: 'counter', name: 'xcore_replay_items_total', help: 'Jobs handled by bulk replays.', labels: ['result'] },
  pluginState: {
    type: 'gauge',
    name: 'xcore_plugin_state',
    help: '1 for the state that the plugin is in, 0 for the others.',
    labels: ['plugin', 'state'],
  },
  permissionDeniedTotal: {
    type: 'counter',
    name: 'xcore_permission_denied_total',
    help: 'What plugins asked for and their manifests do not allow (resource_kind: db, cache, plugin, events, service, net, fs).',
    labels: ['plugin', 'resource_kind'],
  },
  sandboxRestartsTotal: {
    type: 'counter',
    name: 'xcore_sandbox_restarts_total',
    help: 'Restarts of sandboxed plugins.',
    labels: ['plugin', 'reason'],
  },
  httpRequestSeconds: {
    type: 'histogram',
    name: 'xcore_http_request_seconds',
    help: 'HTTP requests, by route pattern.',
    labels: ['method', 'route', 'status'],
    buckets: CALL_SECONDS,
  },
  buildInfo: { type: 'gauge', name: 'xcore_build_info', help: 'Always 1; the labels tell what runs.', labels: ['version', 'node'] },
} as const satisfies Record<string, MetricDefinition>

export type MetricKey = keyof typeof METRIC_CATALOGUE
