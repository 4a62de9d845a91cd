import { Value } from 'typebox/value'
import { didYouMean } from '../errors/index.ts'
import type { Issue } from '../errors/index.ts'
import { definitionOf } from './keys.ts'
import type { Setting } from './setting.ts'

/** What is wrong with one value; empty when nothing is. */
export function validateSetting(setting: Setting): Issue[] {
  const { key, value, where } = setting
  const { schema, expected, secret, members } = definitionOf(key)
  if (Value.Check(schema, value)) return []
  const shown = (part: unknown): string => (secret ? '(not shown)' : JSON.stringify(part))

  // of a list or mapping, say which part is wrong
  const parts =
    members.length === 0
      ? []
      : Value.Errors(schema, value).filter(({ instancePath, keyword }) => instancePath !== '' && keyword !== 'additionalProperties')
  if (parts.length === 0) return [{ path: where([]), message: `${key}: expected ${expected}, found ${shown(value)}` }]
  return parts.map((error) => {
    const path = error.instancePath
      .split('/')
      .slice(1)
      .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
    const last = path.at(-1) ?? ''
    const found = shown(Value.Pointer.Get(value, error.instancePath))
    const at = `${key}${error.instancePath.replaceAll('/', '.')}`
    if (error.keyword === 'boolean')
      return { path: where(path), message: `${at}: this name is not allowed here.${didYouMean(last, members)}` }
    if (error.keyword === 'enum') {
      const allowed = error.params.allowedValues.map(String)
      const word = Value.Pointer.Get(value, error.instancePath)
      return {
        path: where(path),
        message: `${at}: expected one of ${allowed.join(', ')}, found ${JSON.stringify(word)}.${didYouMean(String(word), allowed)}`,
      }
    }
    return { path: where(path), message: `${at}: ${error.message}, found ${found}` }
  })
}

/** Keys must tell callers apart. Two of one name may be valid at once, so that callers can change from one to the other. */
export function validateApiKeys(
  keys: readonly { readonly name: string; readonly key: string }[],
  where: (path: readonly string[]) => string,
): Issue[] {
  return keys.flatMap(({ name, key }, index) => {
    const earlier = keys.slice(0, index)
    const path = where([String(index)])
    if (earlier.filter((other) => other.name === name).length >= 2)
      return [{ path, message: `auth.keys: expected at most two keys of one name, found a third of "${name}"` }]
    if (earlier.some((other) => other.key === key))
      return [{ path, message: `auth.keys: expected distinct keys, but "${name}" has the key of another entry` }]
    return []
  })
}
