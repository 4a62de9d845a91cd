import { Counter as PromCounter, Gauge as PromGauge, Histogram as PromHistogram } from 'prom-client'
import type { Registry } from 'prom-client'
import type { LabelCap } from './label-cap.ts'
import type { MetricDefinition } from './metric-catalogue.ts'

const NO_EXEMPLAR = {}

type Labels<Definition extends MetricDefinition> = Readonly<Record<Definition['labels'][number], string>>

export interface Counter<Definition extends MetricDefinition> {
  /** `by`: 0 or more, default 1. Anything else is ignored: to count must never break the work that is counted. */
  inc(labels: Labels<Definition>, by?: number): void
}

export interface Gauge<Definition extends MetricDefinition> {
  set(labels: Labels<Definition>, value: number): void
  remove(labels: Labels<Definition>): void
  /** Forgets all label combinations, before a fresh set of values is written. A gauge without labels becomes 0. */
  clear(): void
}

export interface Histogram<Definition extends MetricDefinition> {
  /**
   * Less than 0 (clocks of two machines) counts as 0; what is no number is ignored. `traceId`: of a sampled trace, kept as the exemplar
   * of its bucket.
   */
  observe(labels: Labels<Definition>, seconds: number, traceId?: string): void
}

export function counter<const Definition extends MetricDefinition>(
  registry: Registry,
  cap: LabelCap,
  definition: Definition,
): Counter<Definition> {
  const metric = new PromCounter({ ...identity(definition), registers: [registry] })
  const capped = cap.forMetric(definition.labels)
  return {
    inc: (labels, by = 1) => {
      if (by >= 0 && Number.isFinite(by)) metric.inc(capped(labels), by)
    },
  }
}

/** Not capped: the values of a gauge can't be added up under `_other`, and its labels come from the plugins on disk. */
export function gauge<const Definition extends MetricDefinition>(registry: Registry, definition: Definition): Gauge<Definition> {
  const metric = new PromGauge({ ...identity(definition), registers: [registry] })
  return {
    set: (labels, value) => metric.set(labels, value),
    remove: (labels) => metric.remove(labels),
    clear: () => metric.reset(),
  }
}

export function histogram<const Definition extends MetricDefinition>(
  registry: Registry,
  cap: LabelCap,
  definition: Definition,
): Histogram<Definition> {
  // Registered afterwards: prom-client refuses exemplars in a registry of the text format, which merely does not show them.
  const metric = new PromHistogram({
    ...identity(definition),
    buckets: [...(definition.buckets ?? [])],
    registers: [],
    enableExemplars: true,
  })
  registry.registerMetric(metric)
  const capped = cap.forMetric(definition.labels)
  return {
    observe: (labels, seconds, traceId) => {
      if (!Number.isFinite(seconds)) return
      const exemplarLabels = traceId === undefined ? NO_EXEMPLAR : { trace_id: traceId }
      metric.observe({ labels: capped(labels), value: Math.max(0, seconds), exemplarLabels })
    },
  }
}

function identity(definition: MetricDefinition) {
  return { name: definition.name, help: definition.help, labelNames: [...definition.labels] }
}
