/** Reads JSON that another version of XCore may have written: what is missing or of another type becomes empty, the rest is shown. */
export type Fields = Readonly<Record<string, unknown>>

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {}
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

export function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

export function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}

export function listOf<Item>(value: unknown, read: (fields: Fields) => Item): readonly Item[] {
  return Array.isArray(value) ? value.map((item) => read(fieldsOf(item))) : []
}

/** Counts by name, the highest first. */
export function countsOf(value: unknown): readonly (readonly [string, number])[] {
  return Object.entries(fieldsOf(value))
    .map(([name, count]): readonly [string, number] => [name, numberOf(count)])
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
}
