/** The label value that stands for all values past the cap. */
export const OTHER = '_other'

/** Keeps the number of time series finite when label values come from outside: action names, event names, error codes, routes. */
export interface LabelCap {
  /** Returns a function that replaces values past the cap; the given object is returned itself when nothing had to be replaced. */
  forMetric(
    labelNames: readonly string[],
  ): <Labels extends Readonly<Record<string, string>>>(labels: Labels) => Record<string, string> | Labels
}

/** `limit`: distinct values per label of a metric that are shown as they are; first come, first kept. */
export function createLabelCap(limit: number): LabelCap {
  return {
    forMetric: (labelNames) => {
      const seen = labelNames.map((name) => ({ name, values: new Set<string>() }))
      return (labels) => {
        let replaced: Record<string, string> | undefined
        for (const { name, values } of seen) {
          const value = labels[name]
          if (value === undefined || values.has(value)) continue
          if (values.size < limit) values.add(value)
          else {
            replaced ??= { ...labels }
            replaced[name] = OTHER
          }
        }
        return replaced ?? labels
      }
    },
  }
}
