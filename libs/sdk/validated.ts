import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Validator } from 'typebox/compile'
import { HttpError } from './errors.ts'

const compiled = new WeakMap<TSchema, Validator>()

/**
 * The value, typed by the schema that it fits. For bodies of routes: actions are checked by the host.
 * Throws HttpError 422 `validation_error`, `details` being a list of `{path, message}` with JSON pointers.
 * Schemas are compiled at first use, so keep them in constants.
 */
export function validated<const Schema extends TSchema>(schema: Schema, value: unknown): Static<Schema> {
  let validator = compiled.get(schema)
  if (validator === undefined) {
    validator = Compile(schema)
    compiled.set(schema, validator)
  }
  if (validator.Check(value)) return value as Static<Schema>
  const details = validator.Errors(value).map((found) => ({ path: found.instancePath, message: found.message }))
  const [first] = details
  const where = first === undefined || first.path === '' ? 'the body' : first.path
  throw new HttpError(422, `${where} ${first?.message ?? 'does not fit the schema'}`, { code: 'validation_error', details })
}
