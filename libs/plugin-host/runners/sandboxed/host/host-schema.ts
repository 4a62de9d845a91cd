import { isRecord } from '../../../narrowing.ts'

/**
 * The part of a schema that is safe to check in the host: what the sandbox's full schema accepts, this one accepts too. Regular
 * expressions (they may run for hours), references (they may recurse) and whatever is not known are left out; the sandbox checks
 * the whole schema before the handler runs. Pure.
 */
export function hostSchema(schema: unknown, level = 0): Record<string, unknown> {
  if (!isRecord(schema) || level > 32) return {}
  const safe: Record<string, unknown> = {}
  for (const [keyword, value] of Object.entries(schema)) {
    const kept = keep(keyword, value, schema, level)
    if (kept !== undefined) safe[keyword] = kept
  }
  return safe
}

const NUMBERS = [
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
]
const TYPES = ['string', 'number', 'integer', 'boolean', 'null', 'array', 'object']

// Leaving a keyword out only ever accepts more, as long as nothing negates it: so no `not`, `oneOf`, `if`.
function keep(keyword: string, value: unknown, schema: Readonly<Record<string, unknown>>, level: number): unknown {
  if (NUMBERS.includes(keyword)) return typeof value === 'number' && Number.isFinite(value) ? value : undefined
  switch (keyword) {
    case 'type':
      return typeof value === 'string' && TYPES.includes(value) ? value : undefined
    case 'const':
      return isScalar(value) ? value : undefined
    case 'enum':
      return Array.isArray(value) && value.length > 0 && value.length <= 1_000 && value.every(isScalar) ? value : undefined
    case 'required':
      return Array.isArray(value) && value.length <= 1_000 && value.every((name) => typeof name === 'string') ? value : undefined
    case 'properties':
      return isRecord(value)
        ? Object.fromEntries(
            Object.entries(value)
              .filter(([name]) => name !== '__proto__')
              .map(([name, inner]) => [name, hostSchema(inner, level + 1)]),
          )
        : undefined
    case 'additionalProperties':
      // Which names it speaks of depends on the patterns, and `__proto__` was left out above.
      return value === false &&
        schema['patternProperties'] === undefined &&
        isRecord(schema['properties']) &&
        !Object.hasOwn(schema['properties'], '__proto__')
        ? false
        : undefined
    case 'items':
      return isRecord(value) && schema['prefixItems'] === undefined && schema['additionalItems'] === undefined
        ? hostSchema(value, level + 1)
        : undefined
    case 'anyOf':
    case 'allOf':
      return Array.isArray(value) && value.length > 0 && value.length <= 200
        ? value.map((inner) => hostSchema(inner, level + 1))
        : undefined
    default:
      return undefined
  }
}

function isScalar(value: unknown): boolean {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
}
