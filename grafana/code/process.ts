import { build, graph } from './panel.ts'
import { INSTANCE } from './promql.ts'

const by = (legend = '{{instance}}') => ({ legend })

export const process = build({
  name: 'process',
  title: 'Process',
  description: 'Processor, memory and event loop of each process.',
  byPlugin: false,
  rows: [
    {
      title: 'Resources',
      panels: [
        graph({
          title: 'Processor',
          description: '1 is one whole core; JavaScript of one process uses little more than that.',
          unit: 'percentunit',
          queries: [{ expr: `rate(process_cpu_seconds_total{${INSTANCE}}[$__rate_interval])`, ...by() }],
        }),
        graph({
          title: 'Memory',
          description: 'Resident. Growth that never stops is a leak, most often in a plugin.',
          unit: 'bytes',
          queries: [{ expr: `process_resident_memory_bytes{${INSTANCE}}`, ...by() }],
        }),
        graph({
          title: 'Heap in use',
          description: 'Of JavaScript.',
          unit: 'bytes',
          queries: [{ expr: `nodejs_heap_size_used_bytes{${INSTANCE}}`, ...by() }],
        }),
        graph({
          title: 'Reaches the queue',
          description: '0: this process cannot reach the queue; jobs are accepted and wait in Postgres.',
          unit: 'short',
          queries: [{ expr: `xcore_queue_available{${INSTANCE}}`, ...by() }],
        }),
        graph({
          title: 'Open files and connections',
          description: 'File descriptors.',
          unit: 'short',
          queries: [{ expr: `process_open_fds{${INSTANCE}}`, ...by() }],
        }),
      ],
    },
    {
      title: 'Event loop',
      panels: [
        graph({
          title: 'Lag p99',
          description: 'A plugin that computes for long holds up all others in its process: more than 100 ms is felt.',
          unit: 's',
          queries: [{ expr: `nodejs_eventloop_lag_p99_seconds{${INSTANCE}}`, ...by() }],
        }),
        graph({
          title: 'Garbage collection',
          description: 'Share of time.',
          unit: 'percentunit',
          queries: [{ expr: `sum by (instance) (rate(nodejs_gc_duration_seconds_sum{${INSTANCE}}[$__rate_interval]))`, ...by() }],
        }),
        graph({
          title: 'Up since',
          description: 'Steps back to 0 are restarts.',
          unit: 's',
          queries: [{ expr: `time() - process_start_time_seconds{${INSTANCE}}`, ...by() }],
        }),
        graph({
          title: 'Versions',
          description: 'Two lines while a new version is rolled out, one afterwards.',
          unit: 'short',
          queries: [{ expr: `count by (version, node) (xcore_build_info{${INSTANCE}})`, legend: 'XCore {{version}}, Node {{node}}' }],
        }),
      ],
    },
  ],
})
