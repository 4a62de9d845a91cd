import { build, graph, number } from './panel.ts'
import { INSTANCE, increase, orZero, quantile, rate } from './promql.ts'

const FINISHED = 'xcore_jobs_finished_total'

export const overview = build({
  name: 'overview',
  title: 'Overview',
  description: 'Is XCore doing what it is asked, and in time?',
  byPlugin: false,
  rows: [
    {
      title: 'Now',
      panels: [
        number({
          title: 'Success ratio',
          description: 'Jobs that succeeded among those that finished by themselves, over the shown time.',
          unit: 'percentunit',
          queries: [
            {
              expr: `sum(increase(${FINISHED}{outcome="succeeded",${INSTANCE}}[$__range])) / sum(increase(${FINISHED}{outcome!="cancelled",${INSTANCE}}[$__range]))`,
            },
          ],
        }),
        number({
          title: 'Finished per second',
          description: 'Jobs of any outcome.',
          unit: 'ops',
          queries: [{ expr: rate(FINISHED, INSTANCE) }],
        }),
        number({
          title: 'Jobs waiting',
          description: 'Due and not running. A number that only grows needs more workers or less work.',
          unit: 'short',
          queries: [{ expr: `sum(max by (plugin) (xcore_queue_jobs{state="queued",${INSTANCE}}))` }],
        }),
        number({
          title: 'Oldest waiting',
          description: 'For how long the job that has waited longest is due.',
          unit: 's',
          queries: [{ expr: `max(xcore_queue_oldest_waiting_seconds{${INSTANCE}})` }],
        }),
        number({
          title: 'Dead',
          description: 'Jobs whose attempts were used up in the shown time: look at GET /jobs/failures, mend the cause, replay them.',
          unit: 'short',
          queries: [{ expr: orZero(increase(FINISHED, `outcome="dead",${INSTANCE}`)) }],
        }),
        number({
          title: 'Processes',
          description: 'Processes of XCore that Prometheus reaches.',
          unit: 'short',
          queries: [{ expr: `count(xcore_build_info{${INSTANCE}})` }],
        }),
      ],
    },
    {
      title: 'Jobs',
      panels: [
        graph({
          title: 'Finished by outcome',
          description: '`failed`: the handler returned an error; `dead`: attempts used up.',
          unit: 'ops',
          queries: [{ expr: rate(FINISHED, INSTANCE, ['outcome']), legend: '{{outcome}}' }],
        }),
        graph({
          title: 'Accepted by source',
          description: 'Where the work comes from.',
          unit: 'ops',
          queries: [{ expr: rate('xcore_jobs_submitted_total', INSTANCE, ['source']), legend: '{{source}}' }],
        }),
        graph({
          title: 'Wait p95',
          description: 'From when an attempt was due to its start.',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'xcore_job_wait_seconds', INSTANCE, ['plugin']), legend: '{{plugin}}' }],
        }),
        graph({
          title: 'End to end p95',
          description: 'From the request to the outcome, retries included.',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'xcore_job_end_to_end_seconds', INSTANCE, ['plugin']), legend: '{{plugin}}' }],
        }),
        graph({
          title: 'On the queue',
          description: 'Jobs by state, of all plugins.',
          unit: 'short',
          queries: [{ expr: `sum by (state) (max by (plugin, state) (xcore_queue_jobs{${INSTANCE}}))`, legend: '{{state}}' }],
        }),
        graph({
          title: 'Attempts that failed',
          description: 'The ten most frequent plugins and error codes.',
          unit: 'ops',
          queries: [
            { expr: `topk(10, ${rate('xcore_job_attempts_failed_total', INSTANCE, ['plugin', 'code'])})`, legend: '{{plugin}} {{code}}' },
          ],
        }),
      ],
    },
    {
      title: 'HTTP and plugins',
      panels: [
        graph({
          title: 'Requests by status',
          description: '5xx are ours, 429 are rate limits, 401 and 403 are keys.',
          unit: 'reqps',
          queries: [{ expr: rate('xcore_http_request_seconds_count', INSTANCE, ['status']), legend: '{{status}}' }],
        }),
        graph({
          title: 'Request time p95',
          description: 'By route; calls that wait for their result take as long as the job.',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'xcore_http_request_seconds', INSTANCE, ['route']), legend: '{{route}}' }],
        }),
        graph({
          title: 'Plugins by state',
          description: 'In each process; `failed` were refused, GET /admin/plugins tells why.',
          unit: 'short',
          queries: [{ expr: `sum by (state) (xcore_plugin_state{${INSTANCE}})`, legend: '{{state}}' }],
        }),
        graph({
          title: 'Requests refused for their key',
          description: '`unknown` in numbers: somebody guesses, or a caller has an old key.',
          unit: 'reqps',
          queries: [{ expr: rate('xcore_auth_failures_total', INSTANCE, ['reason']), legend: '{{reason}}' }],
        }),
      ],
    },
  ],
})
