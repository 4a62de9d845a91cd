import { TrustedBase } from '@xcore/sdk'
import { XCoreError, messageOf } from '../../../errors/index.ts'
import { isFunction, isRecord } from '../../narrowing.ts'
import { importEntry, isClass } from '../trusted/import-entry.ts'
import { actFor } from '../trusted/self.ts'

/**
 * Imports an old-style entry: CommonJS whose `module.exports` is a class, or an object with `handle`. Rejects with XCoreError
 * `plugin_load_failed`.
 */
export async function instantiateLegacy(url: string, folder: string, entryPoint: string): Promise<TrustedBase> {
  const module = await importEntry(url, folder)
  const exported = module['default']
  const old = isClass(exported) ? constructed(exported, entryPoint) : exported
  if (old instanceof TrustedBase) return old
  if (!isRecord(old) || !isFunction(Reflect.get(old, 'handle'))) {
    const found = isRecord(old) ? `an object with ${Object.keys(old).join(', ') || 'no members'}` : typeof old
    throw new XCoreError(
      'plugin_load_failed',
      `${entryPoint}: expected \`module.exports\` to be a class or an object with a method \`handle(name, payload, job)\`, found ${found}`,
    )
  }
  return adopted(old)
}

function constructed(entry: NewableFunction, entryPoint: string): unknown {
  try {
    return Reflect.construct(entry, [])
  } catch (thrown) {
    const message = `${entryPoint}: the constructor of ${entry.name} threw: ${messageOf(thrown)}`
    throw new XCoreError('plugin_load_failed', message, { cause: thrown })
  }
}

/** What the old object finds on itself, as the SDK's base class would offer it, unless it has a member of that name. */
const GIVEN = ['ctx', 'logger', 'previousState', 'getService', 'callPlugin', 'enqueue', 'fetch'] as const
const METHODS = ['handle', 'getRouter', 'onLoad', 'onUnload', 'onReload'] as const

class LegacyPlugin extends TrustedBase {}

/** Makes a plugin of today of an old object: its methods and `actions` are the plugin's, and run with the old object as `this`. */
function adopted(old: object): TrustedBase {
  const plugin = new LegacyPlugin()
  for (const name of GIVEN) {
    if (name in old) continue
    Object.defineProperty(old, name, {
      configurable: true,
      get() {
        const value: unknown = Reflect.get(plugin, name)
        return isFunction(value) ? value.bind(plugin) : value
      },
    })
  }
  for (const name of METHODS) {
    const method: unknown = Reflect.get(old, name)
    if (isFunction(method)) Object.defineProperty(plugin, name, { value: (...args: unknown[]) => method.call(old, ...args) })
  }
  // Read after `onLoad`, like those of every plugin.
  Object.defineProperty(plugin, 'actions', { get: () => Reflect.get(old, 'actions') ?? {} })
  actFor(plugin, old)
  return plugin
}
