import { build, graph } from './panel.ts'
import { PLUGIN, orZero, quantile, rate } from './promql.ts'

export const plugin = build({
  name: 'plugin',
  title: 'Plugin',
  description: 'What one plugin does, what fails in it, and what holds it back.',
  byPlugin: true,
  rows: [
    {
      title: 'Runs',
      panels: [
        graph({
          title: 'Attempts by outcome',
          description: '`retry` attempts failed and will be made again.',
          unit: 'ops',
          queries: [{ expr: rate('xcore_job_run_seconds_count', PLUGIN, ['outcome']), legend: '{{outcome}}' }],
        }),
        graph({
          title: 'Run time by action or event',
          description: 'p95 of one attempt.',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'xcore_job_run_seconds', PLUGIN, ['name']), legend: '{{name}}' }],
        }),
        graph({
          title: 'Run time',
          description: 'Of all attempts.',
          unit: 's',
          queries: [0.5, 0.95, 0.99].map((q) => ({ expr: quantile(q, 'xcore_job_run_seconds', PLUGIN), legend: `p${q * 100}` })),
        }),
        graph({
          title: 'End to end',
          description: 'From the request to the outcome.',
          unit: 's',
          queries: [0.5, 0.95, 0.99].map((q) => ({ expr: quantile(q, 'xcore_job_end_to_end_seconds', PLUGIN), legend: `p${q * 100}` })),
        }),
      ],
    },
    {
      title: 'Failures',
      panels: [
        graph({
          title: 'Errors by code',
          description: 'Failed attempts; `timeout` and `worker_lost` are the platform’s own codes.',
          unit: 'ops',
          queries: [{ expr: rate('xcore_job_attempts_failed_total', PLUGIN, ['code']), legend: '{{code}}' }],
        }),
        graph({
          title: 'Share of attempts that are made again',
          description: 'Work that is done twice: a high share costs as much as the load itself.',
          unit: 'percentunit',
          queries: [
            {
              expr: `${rate('xcore_job_run_seconds_count', `outcome="retry",${PLUGIN}`)} / ${rate('xcore_job_run_seconds_count', PLUGIN)}`,
            },
          ],
        }),
        graph({
          title: 'Lost and abandoned',
          description: 'Stalled: the worker stopped answering. Abandoned: a handler hung past its timeout and may still run.',
          unit: 'ops',
          queries: [
            { expr: rate('xcore_jobs_stalled_total', PLUGIN, ['plugin']), legend: '{{plugin}} stalled' },
            { expr: rate('xcore_handlers_abandoned_total', PLUGIN, ['plugin']), legend: '{{plugin}} abandoned' },
          ],
        }),
        graph({
          title: 'Denied permissions',
          description: 'What the plugin asked for and its manifest does not allow, by kind of resource.',
          unit: 'ops',
          queries: [
            {
              expr: orZero(rate('xcore_permission_denied_total', PLUGIN, ['plugin', 'resource_kind'])),
              legend: '{{plugin}} {{resource_kind}}',
            },
          ],
        }),
        graph({
          title: 'Restarts of the sandbox',
          description: 'By reason; 0 for trusted plugins.',
          unit: 'ops',
          queries: [{ expr: orZero(rate('xcore_sandbox_restarts_total', PLUGIN, ['plugin', 'reason'])), legend: '{{plugin}} {{reason}}' }],
        }),
      ],
    },
    {
      title: 'Capacity',
      panels: [
        graph({
          title: 'Served by a worker',
          description: '1: no worker runs the jobs of this plugin; they wait.',
          unit: 'short',
          queries: [{ expr: orZero(`max by (plugin) (xcore_plugins_unserved{${PLUGIN}})`), legend: '{{plugin}} unserved' }],
        }),
        graph({
          title: 'Restored to the queue',
          description: 'Jobs that Redis did not hold and the reconciler added again.',
          unit: 'ops',
          queries: [{ expr: orZero(rate('xcore_queue_restored_total', PLUGIN, ['plugin'])), legend: '{{plugin}}' }],
        }),
        graph({
          title: 'Slots',
          description: 'Busy at the limit while jobs wait: raise `concurrency` or start more workers.',
          unit: 'short',
          queries: [
            { expr: `sum by (plugin) (xcore_worker_slots{${PLUGIN}})`, legend: '{{plugin}} slots' },
            { expr: `sum by (plugin) (xcore_worker_slots_busy{${PLUGIN}})`, legend: '{{plugin}} busy' },
          ],
        }),
        graph({
          title: 'Held back by the rate limit',
          description: 'Claims and requests that had to wait for a token.',
          unit: 'ops',
          queries: [{ expr: rate('xcore_rate_limited_total', PLUGIN, ['plugin']), legend: '{{plugin}}' }],
        }),
        graph({
          title: 'On the queue',
          description: 'Jobs by state.',
          unit: 'short',
          queries: [{ expr: `max by (plugin, state) (xcore_queue_jobs{${PLUGIN}})`, legend: '{{plugin}} {{state}}' }],
        }),
        graph({
          title: 'Oldest waiting',
          description: 'For how long the job that has waited longest is due.',
          unit: 's',
          queries: [{ expr: `max by (plugin) (xcore_queue_oldest_waiting_seconds{${PLUGIN}})`, legend: '{{plugin}}' }],
        }),
        graph({
          title: 'Wait',
          description: 'p95 from when an attempt was due to its start.',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'xcore_job_wait_seconds', PLUGIN, ['plugin']), legend: '{{plugin}}' }],
        }),
        graph({
          title: 'Answered with an earlier job',
          description: 'Requests with a known idempotency key, or a known event.',
          unit: 'ops',
          queries: [{ expr: orZero(rate('xcore_jobs_deduplicated_total', PLUGIN, ['plugin'])), legend: '{{plugin}}' }],
        }),
      ],
    },
  ],
})
