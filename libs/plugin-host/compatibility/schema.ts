import { isRecord } from '../narrowing.ts'

/** A JSON schema that is not a boolean. */
export type Schema = Readonly<Record<string, unknown>>

/** Keywords that say nothing of which values fit. */
const ANNOTATIONS: readonly string[] = [
  '$id',
  '$schema',
  '$comment',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
]

/** Without annotations; `true` is `{}`, `false` is `{not: {}}`. Optional properties of TypeBox carry their mark in hidden members. */
export function asSchema(value: unknown): Schema {
  if (value === false) return { not: {} }
  if (!isRecord(value)) return {}
  return Object.fromEntries(Object.entries(value).filter(([key]) => !ANNOTATIONS.includes(key) && !key.startsWith('~')))
}

/** Whether two parts of schemas are the same, whatever the order of their members. */
export function same(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b)
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (!isRecord(value)) return JSON.stringify(value) ?? 'undefined'
  return `{${Object.keys(value)
    .filter((key) => !ANNOTATIONS.includes(key) && !key.startsWith('~') && value[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)
    .join()}}`
}

export function listOf(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined
}

export function propertiesOf(schema: Schema): Schema {
  return isRecord(schema['properties']) ? schema['properties'] : {}
}

export function requiredOf(schema: Schema): readonly string[] {
  return (listOf(schema['required']) ?? []).filter((name) => typeof name === 'string')
}

export function numberOf(schema: Schema, keyword: string): number | undefined {
  const value = schema[keyword]
  return typeof value === 'number' ? value : undefined
}

/** A value in a message. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
