import { readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { LineCounter, isMap, isNode, isScalar, parseDocument } from 'yaml'
import type { Document } from 'yaml'
import { XCoreError, didYouMean, messageOf } from '../errors/index.ts'
import type { Issue } from '../errors/index.ts'
import { CONFIG_KEYS, isConfigKey } from './keys.ts'
import type { Setting } from './setting.ts'

/** The file's text; undefined when it does not exist and need not. Throws `config_invalid` when it can't be read. */
export function readConfigFile(file: string, required: boolean): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (thrown) {
    const missing = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT'
    if (missing && !required) return undefined
    throw new XCoreError('config_invalid', `Expected a configuration file at ${file}, but it could not be read: ${messageOf(thrown)}`, {
      cause: thrown,
    })
  }
}

/** `file`: absolute path, for messages and as the base of relative paths. */
export function readYaml(file: string, text: string): { settings: Setting[]; issues: Issue[] } {
  const lines = new LineCounter()
  const doc = parseDocument(text, { lineCounter: lines })
  const name = basename(file)
  const at = (offset: number | undefined): string => (offset === undefined ? name : `${name}:${lines.linePos(offset).line}`)
  const settings: Setting[] = []
  const issues: Issue[] = doc.errors.map((error) => ({
    path: at(error.pos[0]),
    message: `not valid YAML: ${error.message.split('\n')[0] ?? ''}`,
  }))
  if (issues.length > 0 || doc.contents === null) return { settings, issues }

  const walk = (node: unknown, above: readonly string[]): void => {
    if (!isMap(node)) {
      if (!isNode(node) || (isScalar(node) && node.value === null)) return
      issues.push({ path: at(node.range?.[0]), message: `${above.join('.') || 'the file'}: expected a mapping of keys` })
      return
    }
    for (const { key: keyNode, value } of node.items) {
      const segment = String(isScalar(keyNode) ? keyNode.value : keyNode)
      const path = [...above, segment]
      const key = path.join('.')
      const offset = isNode(keyNode) ? keyNode.range?.[0] : undefined
      if (isConfigKey(key)) {
        const plain: unknown = isNode(value) ? value.toJS(doc) : null
        // `key:` with nothing behind it leaves the default
        if (plain !== null)
          settings.push({ key, value: plain, where: (part) => at(offsetOf(doc, [...path, ...part]) ?? offset), baseDir: dirname(file) })
      } else if (CONFIG_KEYS.some((known) => known.startsWith(`${key}.`))) walk(value, path)
      else issues.push({ path: at(offset), message: `unknown key "${key}".${didYouMean(segment, siblings(above))}` })
    }
  }
  walk(doc.contents, [])
  return { settings, issues }
}

function offsetOf(doc: Document, path: readonly string[]): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const node = doc.getIn(path.slice(0, length), true)
    if (isNode(node)) return node.range?.[0]
  }
  return undefined
}

function siblings(above: readonly string[]): string[] {
  const prefix = above.map((segment) => `${segment}.`).join('')
  return [...new Set(CONFIG_KEYS.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length).split('.')[0] ?? ''))]
}
