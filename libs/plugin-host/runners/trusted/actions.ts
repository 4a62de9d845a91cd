import type { TSchema } from 'typebox'
import { XCoreError, messageOf } from '../../../errors/index.ts'
import { isFunction, isRecord, type PluginFunction } from '../../narrowing.ts'
import { anyObject, compileCheck, type PayloadCheck } from './validation.ts'

export interface DeclaredAction {
  readonly name: string
  readonly input: TSchema | null
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
  const { input = null, handler, description } = declared
  if (!isFunction(handler)) throw failed(`${where}.handler`, 'expected a function', handler)
  return { name, handler, description: typeof description === 'string' ? description : undefined, ...readInput(where, input) }
}

function readInput(where: string, input: unknown): Pick<DeclaredAction, 'input' | 'check'> {
  if (input === null) return { input, check: anyObject }
  if (!isRecord(input)) throw failed(`${where}.input`, 'expected a schema such as Type.Object({…})', input)
  try {
    JSON.stringify(input)
    return { input, check: compileCheck(input) }
  } catch (thrown) {
    throw new XCoreError('plugin_load_failed', `${where}.input: the schema cannot be compiled: ${messageOf(thrown)}`, { cause: thrown })
  }
}

function failed(where: string, expected: string, found: unknown): XCoreError {
  return new XCoreError(
    'plugin_load_failed',
    `${where}: ${expected}, found ${found === null ? 'null' : Array.isArray(found) ? 'a list' : typeof found}`,
  )
}
