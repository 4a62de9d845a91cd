import { error } from '@xcore/sdk'
import type { TSchema } from 'typebox'
import { XCoreError, messageOf } from '../../../errors/index.ts'
import { isFunction, isRecord, type PluginFunction } from '../../narrowing.ts'
import { returned } from './outcome.ts'
import { anyObject, compileCheck, type PayloadCheck } from './validation.ts'

export interface DeclaredAction {
  readonly name: string
  readonly input: TSchema | null
  readonly output: TSchema | null
  readonly description: string | undefined
  readonly check: PayloadCheck
  readonly handler: PluginFunction
}

const MAX_NAME_LENGTH = 128

/**
 * Reads what a plugin has in `actions`: by name, in a Map, so that names such as `constructor` are nothing special.
 * Throws XCoreError `plugin_load_failed` for what is no action, and for schemas that can't be compiled.
 */
export function declaredActions(actions: unknown): ReadonlyMap<string, DeclaredAction> {
  if (!isRecord(actions)) throw failed('actions', 'expected an object of action({…}) by name', actions)
  return new Map(Object.entries(actions).map(([name, declared]) => [name, readAction(name, declared)]))
}

function readAction(name: string, declared: unknown): DeclaredAction {
  const where = `actions.${name}`
  if (name === '' || name.length > MAX_NAME_LENGTH || /[/?#%\s]/.test(name)) {
    throw failed(where, `expected a name of 1 to ${MAX_NAME_LENGTH} characters without / ? # % and spaces`, name)
  }
  if (!isRecord(declared)) throw failed(where, 'expected action({ input?, handler })', declared)
  const { input = null, output = null, handler, description } = declared
  if (!isFunction(handler)) throw failed(`${where}.handler`, 'expected a function', handler)
  const told = typeof description === 'string' ? description : undefined
  return { name, description: told, ...readInput(where, input), ...readOutput(where, output, handler) }
}

function readInput(where: string, input: unknown): Pick<DeclaredAction, 'input' | 'check'> {
  if (input === null) return { input, check: anyObject }
  return { input: schemaOf(`${where}.input`, input), check: compiled(`${where}.input`, input, '/payload') }
}

/** With an output schema the handler is one that keeps to it. */
function readOutput(where: string, output: unknown, handler: PluginFunction): Pick<DeclaredAction, 'output' | 'handler'> {
  if (output === null) return { output, handler }
  const check = compiled(`${where}.output`, output, '/result')
  return {
    output: schemaOf(`${where}.output`, output),
    async handler(...args) {
      const value = await handler.call(this, ...args)
      const result = returned(value)
      if (result.kind !== 'ok') return value
      const { status: _status, ...fields } = result.result
      const issues = check(fields)
      if (issues.length === 0) return result.result
      const [first] = issues
      return error(
        `the result does not fit the action's output: ${first?.path ?? ''} ${first?.message ?? ''}; correct the handler or the schema`,
        {
          code: 'invalid_result',
          details: issues.map(({ path, message }) => ({ path, message })),
        },
      )
    },
  }
}

function schemaOf(where: string, schema: unknown): TSchema {
  if (isRecord(schema)) return schema
  throw failed(where, 'expected a schema such as Type.Object({…})', schema)
}

/** Throws XCoreError `plugin_load_failed` for what is no schema. */
export function compiled(where: string, schema: unknown, root: string): PayloadCheck {
  const known = schemaOf(where, schema)
  try {
    JSON.stringify(known)
    return compileCheck(known, root)
  } catch (thrown) {
    throw new XCoreError('plugin_load_failed', `${where}: the schema cannot be compiled: ${messageOf(thrown)}`, { cause: thrown })
  }
}

function failed(where: string, expected: string, found: unknown): XCoreError {
  return new XCoreError(
    'plugin_load_failed',
    `${where}: ${expected}, found ${found === null ? 'null' : Array.isArray(found) ? 'a list' : typeof found}`,
  )
}
