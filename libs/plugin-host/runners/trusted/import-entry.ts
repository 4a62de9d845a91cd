import { sep } from 'node:path'
import { TrustedBase } from '@xcore/sdk'
import { XCoreError, messageOf } from '../../../errors/index.ts'
import { isRecord } from '../../narrowing.ts'

/** Imports the entry file and makes the plugin's instance. Rejects with XCoreError `plugin_load_failed`. */
export async function instantiate(url: string, folder: string, entryPoint: string): Promise<TrustedBase> {
  return instanceFrom(await importEntry(url, folder), entryPoint)
}

/** Makes the instance of the class that an entry file exports. Throws XCoreError `plugin_load_failed`. */
export function instanceFrom(module: Readonly<Record<string, unknown>>, entryPoint: string): TrustedBase {
  const entry = exportedClass(module)
  if (entry === undefined) {
    const exported = Object.keys(module).join(', ') || 'nothing'
    throw failed(
      `${entryPoint}: expected \`export default class Plugin extends TrustedBase\` (or an export named Plugin), found exports: ${exported}`,
    )
  }
  if (!(entry.prototype instanceof TrustedBase)) {
    throw failed(
      `${entryPoint}: expected the class ${entry.name || 'that is exported'} to extend TrustedBase of @xcore/sdk, found one that does not`,
    )
  }
  let instance: unknown
  try {
    instance = Reflect.construct(entry, [])
  } catch (thrown) {
    throw failed(`${entryPoint}: the constructor of ${entry.name} threw: ${messageOf(thrown)}`, thrown)
  }
  if (!(instance instanceof TrustedBase))
    throw failed(`${entryPoint}: the constructor of ${entry.name} returned something else than its instance`)
  return instance
}

/** Rejects with XCoreError `plugin_load_failed` that says what to do. */
export async function importEntry(url: string, folder: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const module: unknown = await import(url)
    return isRecord(module) ? module : {}
  } catch (thrown) {
    throw failed(explain(thrown, folder), thrown)
  }
}

function exportedClass(module: Readonly<Record<string, unknown>>): NewableFunction | undefined {
  // A CommonJS file's module.exports arrives as the default export.
  return [module['default'], module['Plugin']].find(isClass)
}

export function isClass(value: unknown): value is NewableFunction {
  return typeof value === 'function' && typeof value.prototype === 'object'
}

function explain(thrown: unknown, folder: string): string {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  const message = messageOf(thrown)
    .replaceAll(/\?reload=\d+/g, '')
    .replaceAll(`${folder}${sep}`, '')
  const where = sourcePosition(thrown, folder)
  switch (code) {
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return (
        `${where}${message}: Node runs TypeScript by stripping its types, so syntax that makes code (enum, namespace, parameter properties, decorators) ` +
        'does not work; use a union of literals or a plain object, set `"erasableSyntaxOnly": true` in tsconfig.json, or compile to .js'
      )
    case 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING':
      return `${message}; Node does not run TypeScript inside a node_modules folder: move the plugin's folder, or name a compiled .js file as entry_point`
    case 'ERR_MODULE_NOT_FOUND':
      return `${message}; correct the import, or install the package in the plugin's folder`
    default:
      return `${where}${message}`
  }
}

// Errors of the parser begin their stack with `/path/of/file.ts:12`.
function sourcePosition(thrown: unknown, folder: string): string {
  if (!(thrown instanceof SyntaxError)) return ''
  const [first = ''] = (thrown.stack ?? '').split('\n', 1)
  if (!/:\d+$/.test(first)) return ''
  const path = first.replace(/^file:\/\//, '')
  return `${path.startsWith(folder + sep) ? path.slice(folder.length + 1) : path}: `
}

function failed(message: string, cause?: unknown): XCoreError {
  return new XCoreError('plugin_load_failed', message, { cause })
}
