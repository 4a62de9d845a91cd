import { Registry, collectDefaultMetrics } from 'prom-client'
import { counter, gauge, histogram } from './instruments.ts'
import { createLabelCap } from './label-cap.ts'
import { METRIC_CATALOGUE as M } from './metric-catalogue.ts'

export interface MetricsOptions {
  /** Added to every line, e.g. `{process: 'worker'}`. Default: none. */
  readonly defaultLabels?: Readonly<Record<string, string>>
  /** Also export prom-client's `process_*` and `nodejs_*`. Default: false. */
  readonly processMetrics?: boolean
  /** Distinct values per label of a counter or histogram; further ones are counted under `_other`. Default: 200. */
  readonly labelLimit?: number
}

/** What `GET /metrics` answers with as Content-Type. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

export type Metrics = ReturnType<typeof createMetrics>

/** A registry of its own, with every metric of the catalogue. */
export function createMetrics(options: MetricsOptions = {}) {
  const registry = new Registry()
  const cap = createLabelCap(options.labelLimit ?? 200)
  const collectors = new Set<() => Promise<void> | void>()
  if (options.defaultLabels) registry.setDefaultLabels(options.defaultLabels)
  if (options.processMetrics) collectDefaultMetrics({ register: registry })

  return {
    registry,
    contentType: METRICS_CONTENT_TYPE,
    /** Calls `collect` before each rendering, to set gauges that are read on demand. When it fails, they keep their last values. Returns how to take it off. */
    onCollect(collect: () => Promise<void> | void): () => void {
      collectors.add(collect)
      return () => void collectors.delete(collect)
    },
    /** Renders all metrics in the Prometheus text format. */
    async text(): Promise<string> {
      await Promise.allSettled([...collectors].map(async (collect) => collect()))
      return registry.metrics()
    },

    jobsSubmittedTotal: counter(registry, cap, M.jobsSubmittedTotal),
    jobsFinishedTotal: counter(registry, cap, M.jobsFinishedTotal),
    jobAttemptsFailedTotal: counter(registry, cap, M.jobAttemptsFailedTotal),
    jobWaitSeconds: histogram(registry, cap, M.jobWaitSeconds),
    jobRunSeconds: histogram(registry, cap, M.jobRunSeconds),
    jobEndToEndSeconds: histogram(registry, cap, M.jobEndToEndSeconds),
    queueJobs: gauge(registry, M.queueJobs),
    queueOldestWaitingSeconds: gauge(registry, M.queueOldestWaitingSeconds),
    workerSlots: gauge(registry, M.workerSlots),
    workerSlotsBusy: gauge(registry, M.workerSlotsBusy),
    rateLimitedTotal: counter(registry, cap, M.rateLimitedTotal),
    jobsStalledTotal: counter(registry, cap, M.jobsStalledTotal),
    jobsDeduplicatedTotal: counter(registry, cap, M.jobsDeduplicatedTotal),
    handlersAbandonedTotal: counter(registry, cap, M.handlersAbandonedTotal),
    eventsAppendedTotal: counter(registry, cap, M.eventsAppendedTotal),
    eventAppendSeconds: histogram(registry, cap, M.eventAppendSeconds),
    eventlogHorizonLagSeconds: gauge(registry, M.eventlogHorizonLagSeconds),
    replayItemsTotal: counter(registry, cap, M.replayItemsTotal),
    pluginState: gauge(registry, M.pluginState),
    permissionDeniedTotal: counter(registry, cap, M.permissionDeniedTotal),
    sandboxRestartsTotal: counter(registry, cap, M.sandboxRestartsTotal),
    httpRequestSeconds: histogram(registry, cap, M.httpRequestSeconds),
    buildInfo: gauge(registry, M.buildInfo),
  }
}
