import { isRecord } from '../narrowing.ts'
import type { Narrowing } from './narrowings.ts'
import { numberOf, propertiesOf, requiredOf, same, shown, type Schema } from './schema.ts'

type Compare = (from: unknown, to: unknown, path: string) => readonly Narrowing[]

const LOWER = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'] as const
const UPPER = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'] as const
/** Rules that can only be compared as wholes. */
const EXACT = ['pattern', 'format', 'uniqueItems'] as const

/** Bounds of numbers and lengths, and rules that a value keeps or breaks. */
export function boundsNarrowings(wide: Schema, narrow: Schema, path: string): readonly Narrowing[] {
  return [
    ...LOWER.filter((rule) => (numberOf(wide, rule) ?? -Infinity) < (numberOf(narrow, rule) ?? -Infinity) && !implied(wide, narrow, rule)),
    ...UPPER.filter((rule) => (numberOf(wide, rule) ?? Infinity) > (numberOf(narrow, rule) ?? Infinity) && !implied(wide, narrow, rule)),
    ...EXACT.filter((rule) => narrow[rule] !== undefined && narrow[rule] !== false && !same(wide[rule], narrow[rule])),
    ...(isMultiple(wide, narrow) ? [] : ['multipleOf']),
  ].map((rule) => ({ path, rule, wide: said(wide[rule]), narrow: said(narrow[rule]) }))
}

/** `exclusiveMinimum: 3` keeps everything out that `minimum: 3` does, and `minimum: 4` what `exclusiveMinimum: 3` does. */
function implied(wide: Schema, narrow: Schema, rule: string): boolean {
  const bound = numberOf(narrow, rule) ?? 0
  switch (rule) {
    case 'minimum':
      return (numberOf(wide, 'exclusiveMinimum') ?? -Infinity) >= bound
    case 'exclusiveMinimum':
      return (numberOf(wide, 'minimum') ?? -Infinity) > bound
    case 'maximum':
      return (numberOf(wide, 'exclusiveMaximum') ?? Infinity) <= bound
    case 'exclusiveMaximum':
      return (numberOf(wide, 'maximum') ?? Infinity) < bound
    default:
      return false
  }
}

function isMultiple(wide: Schema, narrow: Schema): boolean {
  const step = numberOf(narrow, 'multipleOf')
  if (step === undefined) return true
  const own = numberOf(wide, 'multipleOf')
  if (own !== undefined) return Number.isInteger(own / step)
  return step === 1 && wide['type'] === 'integer'
}

/** Properties: those that are required, those that changed, and what becomes of the others. */
export function objectNarrowings(wide: Schema, narrow: Schema, path: string, compare: Compare): readonly Narrowing[] {
  const before = propertiesOf(wide)
  const after = propertiesOf(narrow)
  const needed = requiredOf(narrow).filter((name) => !requiredOf(wide).includes(name))
  const known = Object.keys(before).map((name) =>
    Object.hasOwn(after, name)
      ? compare(before[name], after[name], pointer(path, name))
      : goneNarrowings(before[name], narrow, pointer(path, name), compare),
  )
  return [
    ...needed.map((name) => ({ path: pointer(path, name), rule: 'required', wide: 'optional', narrow: 'required' })),
    ...known.flat(),
    ...othersNarrowings(wide, narrow, path, compare),
  ]
}

/** A property that only the wide schema knows falls under the rule for others in the narrow one. */
function goneNarrowings(property: unknown, narrow: Schema, path: string, compare: Compare): readonly Narrowing[] {
  if (narrow['patternProperties'] !== undefined) return compare(property, { not: {} }, path)
  const others = narrow['additionalProperties']
  if (others === false) return [{ path, rule: 'property', wide: 'known', narrow: 'refused' }]
  return compare(property, others ?? {}, path)
}

function othersNarrowings(wide: Schema, narrow: Schema, path: string, compare: Compare): readonly Narrowing[] {
  const patterns = narrow['patternProperties']
  const before = wide['patternProperties']
  const found: Narrowing[] = []
  if (patterns !== undefined && !same(before, patterns)) {
    const [[pattern, schema] = []] = isRecord(patterns) ? Object.entries(patterns) : []
    const own = isRecord(before) && pattern !== undefined ? before[pattern] : undefined
    if (own === undefined) found.push({ path: `${path}/*`, rule: 'patternProperties', wide: said(before), narrow: said(patterns) })
    else found.push(...compare(own, schema, `${path}/*`))
    if (isRecord(patterns) && Object.keys(patterns).length > 1)
      found.push({ path, rule: 'patternProperties', wide: said(before), narrow: said(patterns) })
  }
  // Names that fit a pattern were let through by it, and would now meet the rule for others.
  if (before !== undefined && patterns === undefined && narrow['additionalProperties'] !== undefined) {
    found.push({ path: `${path}/*`, rule: 'patternProperties', wide: said(before), narrow: 'nothing' })
  }
  const others = narrow['additionalProperties']
  if (others === undefined || others === true) return found
  const open = wide['additionalProperties'] ?? true
  if (open === false) return found
  if (others === false) return [...found, { path: `${path}/*`, rule: 'further properties', wide: 'allowed', narrow: 'refused' }]
  return [...found, ...compare(open, others, `${path}/*`)]
}

function pointer(path: string, name: string): string {
  return `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

function said(value: unknown): string {
  return value === undefined ? 'none' : shown(value)
}
