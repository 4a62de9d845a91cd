import { build, graph, number } from './panel.ts'
import { INSTANCE, quantile, rate } from './promql.ts'

export const eventLog = build({
  name: 'event-log',
  title: 'Event log and database',
  description: 'What is written to Postgres, how long it takes, and whether there is room for more.',
  byPlugin: false,
  rows: [
    {
      title: 'Now',
      panels: [
        number({
          title: 'Horizon lag',
          description: 'Age of the oldest open transaction; ordered readers of the log wait for it. Minutes mean a forgotten transaction.',
          unit: 's',
          span: 6,
          queries: [{ expr: `max(xcore_eventlog_horizon_lag_seconds{${INSTANCE}})` }],
        }),
        number({
          title: 'Partitions ahead',
          description: 'For how long the log has partitions. Below a day, maintenance has not run for most of a week.',
          unit: 's',
          span: 6,
          queries: [{ expr: `max(xcore_eventlog_ahead_seconds{${INSTANCE}})` }],
        }),
        number({
          title: 'Database size',
          description: 'On disk.',
          unit: 'bytes',
          span: 6,
          queries: [{ expr: `max(xcore_database_size_bytes{${INSTANCE}})` }],
        }),
        number({
          title: 'Rows per transaction',
          description: 'Log events that share one commit: grows with load, which is what keeps up with it.',
          unit: 'short',
          span: 6,
          queries: [{ expr: `${rate('xcore_events_appended_total', INSTANCE)} / ${rate('xcore_event_append_seconds_count', INSTANCE)}` }],
        }),
      ],
    },
    {
      title: 'Over time',
      panels: [
        graph({
          title: 'Log events written',
          description: 'A job that succeeds at once costs two.',
          unit: 'ops',
          queries: [{ expr: rate('xcore_events_appended_total', INSTANCE, ['result']), legend: '{{result}}' }],
        }),
        graph({
          title: 'Time of an append',
          description: 'One transaction, batch and commit: the disk of the database shows here first.',
          unit: 's',
          queries: [0.5, 0.95, 0.99].map((q) => ({ expr: quantile(q, 'xcore_event_append_seconds', INSTANCE), legend: `p${q * 100}` })),
        }),
        graph({
          title: 'Transactions',
          description: 'That append to the log, per second.',
          unit: 'ops',
          queries: [{ expr: rate('xcore_event_append_seconds_count', INSTANCE) }],
        }),
        graph({
          title: 'Size of the database',
          description: 'Flat once retention drops as much as is written.',
          unit: 'bytes',
          queries: [{ expr: `max(xcore_database_size_bytes{${INSTANCE}})` }],
        }),
      ],
    },
  ],
})
