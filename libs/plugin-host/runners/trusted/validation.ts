import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import * as Schema from 'typebox/schema'
import { Settings } from 'typebox/system'
import type { Issue } from '../../../errors/index.ts'

/** Checks a payload; an empty list: it fits. */
export type PayloadCheck = (payload: unknown) => readonly Issue[]

/** Compiles a schema. Throws what TypeBox throws for one that can't be compiled. */
export function compileCheck(schema: TSchema, root = '/payload'): PayloadCheck {
  const validator = Compile(schema)
  return checkOf(
    (payload) => validator.Check(payload),
    (payload) => validator.Errors(payload),
    root,
  )
}

/** The same without compiling: slower, but no code is made of a schema that comes from somebody who is not trusted. */
export function interpretCheck(schema: object): PayloadCheck {
  return checkOf(
    (payload) => Schema.Check(schema, payload),
    (payload) => Schema.Errors(schema, payload)[1],
    '/payload',
  )
}

function checkOf(
  fits: (payload: unknown) => boolean,
  errors: (payload: unknown) => TLocalizedValidationError[],
  root: string,
): PayloadCheck {
  return (payload) =>
    fits(payload)
      ? []
      : issuesOf(
          errorsOf(() => errors(payload)),
          payload,
          root,
        )
}

/** Of actions without a schema, and of free-form ones. */
export const anyObject: PayloadCheck = (payload) =>
  typeof payload === 'object' && payload !== null && !Array.isArray(payload)
    ? []
    : [{ path: '/payload', message: `must be an object, found ${shown(payload)}` }]

const MAX_ISSUES = 20
// Characters: keys of a payload may be as long as it likes.
const MAX_PATH = 200
const MAX_MESSAGE = 500
const UNKNOWN_FIELD = 'must not be here: no such field is known'

// TypeBox stops at 8 errors by a process-wide setting, and an unknown field costs two. Raised for this synchronous call only.
function errorsOf(collect: () => TLocalizedValidationError[]): readonly TLocalizedValidationError[] {
  const { maxErrors } = Settings.Get()
  Settings.Set({ maxErrors: 2 * MAX_ISSUES })
  try {
    return collect()
  } finally {
    Settings.Set({ maxErrors })
  }
}

function issuesOf(errors: readonly TLocalizedValidationError[], payload: unknown, root: string): readonly Issue[] {
  const issues = new Map<string, Issue>()
  const add = ({ path, message }: Issue): unknown =>
    issues.set(`${path} ${message}`, {
      path: path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}…` : path,
      message: message.slice(0, MAX_MESSAGE),
    })
  for (const [pointer, group] of Map.groupBy(errors, (error) => error.instancePath)) {
    const found = valueAt(payload, pointer)
    const choices = [...new Set(group.flatMap((error) => choicesOf(error)))]
    if (choices.length > 0) {
      add({
        path: `${root}${pointer}`,
        message: `must be ${choices.length > 1 ? 'one of ' : ''}${choices.join(', ')}, found ${shown(found)}`,
      })
    }
    for (const error of group) describe(error, `${root}${pointer}`, found, choices.length > 0).forEach(add)
  }
  // Never none: an empty list says that the payload fits.
  return issues.size === 0 ? [{ path: root, message: 'does not fit the schema' }] : [...issues.values()].slice(0, MAX_ISSUES)
}

function choicesOf(error: TLocalizedValidationError): readonly string[] {
  if (error.keyword === 'const') return [shown(error.params.allowedValue)]
  if (error.keyword === 'enum') return error.params.allowedValues.map(shown)
  return []
}

function describe(error: TLocalizedValidationError, path: string, found: unknown, hasChoices: boolean): readonly Issue[] {
  switch (error.keyword) {
    case 'required':
      return error.params.requiredProperties.map((key) => ({ path: `${path}/${escaped(key)}`, message: 'is required, found nothing' }))
    case 'additionalProperties':
      return error.params.additionalProperties.map((key) => ({ path: `${path}/${escaped(key)}`, message: UNKNOWN_FIELD }))
    // What nothing fits: an unknown field, told again.
    case 'boolean':
      return [{ path, message: UNKNOWN_FIELD }]
    // Told above.
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
