import { Check } from 'typebox/value'
import { boundsNarrowings, objectNarrowings } from './rules.ts'
import { asSchema, listOf, same, shown, type Schema } from './schema.ts'

/** A place where one schema lets through what the other does not. */
export interface Narrowing {
  /** JSON pointer into the value; `*` stands for any item or further property. */
  readonly path: string
  readonly rule: string
  /** What the wider schema says, and what the narrower one. */
  readonly wide: string
  readonly narrow: string
}

/** What the rules understand. Anything else must be the same on both sides. */
const KNOWN: readonly string[] = [
  'type',
  'const',
  'enum',
  'anyOf',
  'allOf',
  'not',
  'properties',
  'required',
  'additionalProperties',
  'patternProperties',
  'minProperties',
  'maxProperties',
  'items',
  'minItems',
  'maxItems',
  'uniqueItems',
  'minLength',
  'maxLength',
  'pattern',
  'format',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
]

/**
 * Where values that fit `from` may not fit `to`; empty: all that fit `from` fit `to`, but for properties that `from` does not mention:
 * a new optional property counts as no narrowing. Pure. When in doubt it reports: a changed rule that it does not understand is one.
 */
export function narrowings(from: unknown, to: unknown, path = ''): readonly Narrowing[] {
  const wide = asSchema(from)
  const narrow = asSchema(to)
  if (same(wide, narrow) || Object.keys(narrow).length === 0 || isNever(wide)) return []
  const values = valuesOf(wide)
  if (values !== undefined) return valueNarrowings(values, narrow, path)
  const choices = listOf(wide['anyOf'])
  if (choices !== undefined)
    return choices.flatMap((choice) => narrowings({ ...without(wide, 'anyOf'), ...asSchema(choice) }, narrow, path))
  if (isNever(narrow)) return [{ path, rule: 'value', wide: 'allowed', narrow: 'never allowed' }]
  const allowed = valuesOf(narrow)
  if (allowed !== undefined) return [{ path, rule: 'values', wide: kindOf(wide), narrow: `one of ${allowed.map(shown).join(', ')}` }]
  return [...unionNarrowings(wide, narrow, path), ...intersectionNarrowings(wide, narrow, path), ...ruleNarrowings(wide, narrow, path)]
}

function ruleNarrowings(wide: Schema, narrow: Schema, path: string): readonly Narrowing[] {
  const type = typeNarrowing(wide, narrow, path)
  // Of another type: no need to tell more.
  if (type !== undefined) return [type]
  const strange = Object.keys(narrow).filter((keyword) => !KNOWN.includes(keyword) || keyword === 'not')
  return [
    ...strange
      .filter((keyword) => !same(wide[keyword], narrow[keyword]))
      .map((keyword) => ({ path, rule: keyword, wide: shown(wide[keyword]), narrow: shown(narrow[keyword]) })),
    ...boundsNarrowings(wide, narrow, path),
    ...objectNarrowings(wide, narrow, path, narrowings),
    ...itemNarrowings(wide, narrow, path),
  ]
}

function unionNarrowings(wide: Schema, narrow: Schema, path: string): readonly Narrowing[] {
  const choices = listOf(narrow['anyOf'])
  if (choices === undefined || choices.some((choice) => narrowings(wide, choice, path).length === 0)) return []
  return [{ path, rule: 'shape', wide: kindOf(wide), narrow: `one of: ${choices.map((choice) => kindOf(asSchema(choice))).join(', ')}` }]
}

function intersectionNarrowings(wide: Schema, narrow: Schema, path: string): readonly Narrowing[] {
  const parts = listOf(narrow['allOf']) ?? []
  const own = listOf(wide['allOf']) ?? []
  // What any part of the wide one rules out is ruled out.
  return parts.flatMap((part) => {
    const found = [without(wide, 'allOf'), ...own].map((each) => narrowings(each, part, path))
    return found.some((each) => each.length === 0) ? [] : (found[0] ?? [])
  })
}

function typeNarrowing(wide: Schema, narrow: Schema, path: string): Narrowing | undefined {
  if (narrow['type'] === undefined || same(wide['type'], narrow['type'])) return undefined
  if (wide['type'] === 'integer' && narrow['type'] === 'number') return undefined
  // An intersection says its type in its parts.
  const parts = listOf(wide['allOf']) ?? []
  if (wide['type'] === undefined && parts.some((part) => asSchema(part)['type'] === narrow['type'])) return undefined
  return { path, rule: 'type', wide: kindOf(wide), narrow: kindOf(narrow) }
}

function itemNarrowings(wide: Schema, narrow: Schema, path: string): readonly Narrowing[] {
  if (narrow['items'] === undefined || same(wide['items'], narrow['items'])) return []
  if (Array.isArray(wide['items']) || Array.isArray(narrow['items']))
    return [{ path, rule: 'items', wide: 'another list of items', narrow: 'this one' }]
  return narrowings(wide['items'] ?? {}, narrow['items'], `${path}/*`)
}

function valueNarrowings(values: readonly unknown[], narrow: Schema, path: string): readonly Narrowing[] {
  return values
    .filter((value) => !Check(narrow, value))
    .map((value) => ({ path, rule: 'value', wide: `${shown(value)} allowed`, narrow: `${shown(value)} not allowed` }))
}

/** The values that a schema lists, when it does. */
function valuesOf(schema: Schema): readonly unknown[] | undefined {
  if ('const' in schema) return [schema['const']]
  if (schema['type'] === 'null') return [null]
  if (schema['type'] === 'boolean') return [true, false]
  const listed = listOf(schema['enum'])
  if (listed !== undefined) return listed
  const choices = listOf(schema['anyOf'])?.map((choice) => valuesOf(asSchema(choice)))
  return choices === undefined || choices.includes(undefined) ? undefined : choices.flatMap((choice) => choice ?? [])
}

function isNever(schema: Schema): boolean {
  return same(schema['not'], {})
}

function without(schema: Schema, keyword: string): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== keyword))
}

function kindOf(schema: Schema): string {
  const values = valuesOf(schema)
  if (values !== undefined && schema['type'] !== 'boolean') return values.map(shown).join(' | ')
  return typeof schema['type'] === 'string' ? schema['type'] : 'any value'
}
