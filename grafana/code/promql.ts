/** Of this process or these processes. */
export const INSTANCE = 'instance=~"$instance"'
/** Of these plugins, in these processes. */
export const PLUGIN = `plugin=~"$plugin",${INSTANCE}`

/** A quantile of a histogram, by the labels given. `selector`: without braces. */
export function quantile(q: number, histogram: string, selector: string, by: readonly string[] = []): string {
  return `histogram_quantile(${q}, sum by (${['le', ...by].join(', ')}) (rate(${histogram}_bucket{${selector}}[$__rate_interval])))`
}

/** Per second, summed over processes. */
export function rate(counter: string, selector: string, by: readonly string[] = []): string {
  return `sum by (${by.join(', ')}) (rate(${counter}{${selector}}[$__rate_interval]))`
}

/** Over the shown time, summed over processes. */
export function increase(counter: string, selector: string, by: readonly string[] = []): string {
  return `sum by (${by.join(', ')}) (increase(${counter}{${selector}}[$__range]))`
}

/** 0 instead of nothing, for what has (hopefully) never happened. */
export function orZero(expr: string): string {
  return `${expr} or vector(0)`
}
