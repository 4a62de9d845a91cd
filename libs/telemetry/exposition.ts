import { Counter, Registry } from 'prom-client'
import type { OpenMetricsContentType } from 'prom-client'

/** An answer to `GET /metrics`. */
export interface Exposition {
  readonly contentType: string
  readonly body: string
}

/**
 * Renders one set of metrics in either format: the Prometheus text format, or OpenMetrics, which Prometheus asks for by its `Accept`
 * header and which carries exemplars.
 * prom-client renders a registry in one format only, and for OpenMetrics cuts the names of its counters for good: hence a second
 * registry over the same metrics, with a stand-in for each counter.
 */
export function createExposition(registry: Registry, defaultLabels: Readonly<Record<string, string>> = {}) {
  const openMetrics = new Registry<OpenMetricsContentType>()
  openMetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  return async (accept: string | undefined): Promise<Exposition> => {
    if (!asksForOpenMetrics(accept)) return { contentType: registry.contentType, body: await registry.metrics() }
    openMetrics.clear()
    openMetrics.setDefaultLabels(defaultLabels)
    for (const { name } of registry.getMetricsAsArray()) {
      const metric = registry.getSingleMetric(name)
      if (metric !== undefined) openMetrics.registerMetric(metric instanceof Counter ? new StandIn(metric, name) : metric)
    }
    return { contentType: openMetrics.contentType, body: await openMetrics.metrics() }
  }
}

/** Whoever names the format can read it, unless with `q=0`. */
export function asksForOpenMetrics(accept: string | undefined): boolean {
  return (accept ?? '')
    .toLowerCase()
    .split(',')
    .map((range) => range.split(';').map((part) => part.trim()))
    .some(([type, ...parameters]) => type === 'application/openmetrics-text' && !parameters.some((each) => /^q=0(\.0*)?$/.test(each)))
}

/** The values of a counter under its OpenMetrics name, which has no `_total`: the samples get it back. */
class StandIn extends Counter {
  readonly #source: Counter
  readonly #name: string

  constructor(source: Counter, name: string) {
    const family = name.replace(/_total$/, '')
    super({ name: family, help: family, registers: [] })
    this.#source = source
    this.#name = family
  }

  override async get() {
    return { ...(await this.#source.get()), name: this.#name }
  }
}
