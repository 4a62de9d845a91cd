import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import type { Issue } from '../../../errors/index.ts'

/** Checks a payload; an empty list: it fits. */
export type PayloadCheck = (payload: unknown) => readonly Issue[]

/** Compiles a schema. Throws what TypeBox throws for one that can't be compiled. */
export function compileCheck(schema: TSchema): PayloadCheck {
  const validator = Compile(schema)
  return (payload) => (validator.Check(payload) ? [] : issuesOf(validator.Errors(payload), payload))
}

/** Of actions without a schema, and of free-form ones. */
export const anyObject: PayloadCheck = (payload) =>
  typeof payload === 'object' && payload !== null && !Array.isArray(payload)
    ? []
    : [{ path: '/payload', message: `must be an object, found ${shown(payload)}` }]

const MAX_ISSUES = 20

function issuesOf(errors: readonly TLocalizedValidationError[], payload: unknown): readonly Issue[] {
  const issues: Issue[] = []
  for (const [pointer, group] of Map.groupBy(errors, (error) => error.instancePath)) {
    const found = valueAt(payload, pointer)
    const choices = group.flatMap((error) => choicesOf(error))
    if (choices.length > 0) {
      issues.push({ path: `/payload${pointer}`, message: `must be ${choices.length > 1 ? 'one of ' : ''}${choices.join(', ')}, found ${shown(found)}` })
    }
    for (const error of group) issues.push(...describe(error, pointer, found, choices.length > 0))
  }
  return issues.slice(0, MAX_ISSUES)
}

function choicesOf(error: TLocalizedValidationError): readonly string[] {
  if (error.keyword === 'const') return [shown(error.params.allowedValue)]
  if (error.keyword === 'enum') return error.params.allowedValues.map(shown)
  return []
}

function describe(error: TLocalizedValidationError, pointer: string, found: unknown, hasChoices: boolean): readonly Issue[] {
  const path = `/payload${pointer}`
  switch (error.keyword) {
    case 'required':
      return error.params.requiredProperties.map((key) => ({ path: `${path}/${escaped(key)}`, message: 'is required, found nothing' }))
    case 'additionalProperties':
      return error.params.additionalProperties.map((key) => ({ path: `${path}/${escaped(key)}`, message: 'must not be here: no such field is known' }))
    // Repeats an unknown field, or a choice told above.
    case 'boolean':
    case 'const':
    case 'enum':
      return []
    case 'anyOf':
      return hasChoices ? [] : [{ path, message: `must fit one of the allowed shapes, found ${shown(found)}` }]
    default:
      return [{ path, message: `${error.message}, found ${shown(found)}` }]
  }
}

function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}

function valueAt(root: unknown, pointer: string): unknown {
  let value = root
  for (const raw of pointer.split('/').slice(1)) {
    const key = raw.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = Reflect.get(value, key)
  }
  return value
}

// A payload may be large or secret: only its kind, and short values.
function shown(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'nothing'
    case 'string':
      return value.length > 40 ? `a text of ${value.length} characters` : JSON.stringify(value)
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? `a list of ${value.length}` : 'an object'
    default:
      return String(value)
  }
}
