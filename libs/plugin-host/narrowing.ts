/** A function of a plugin: nothing is known of what it takes, returns or throws. */
export type PluginFunction = (this: unknown, ...args: readonly unknown[]) => unknown

export function isFunction(value: unknown): value is PluginFunction {
  return typeof value === 'function'
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
