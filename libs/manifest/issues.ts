import { closest, distance } from 'fastest-levenshtein'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { Settings } from 'typebox/system'
import { Check } from 'typebox/value'
import type { Issue } from '../errors/index.ts'
import type { Json } from '../event-log/index.ts'
import { ENTRY_EXTENSIONS, ManifestSchema, type WrittenManifest } from './schema.ts'
import { isObject, keyOf, type ManifestText, type Path } from './source.ts'

const MAX_ISSUES = 100
const validator = Compile(ManifestSchema)

export type Checked = { readonly ok: true; readonly written: WrittenManifest } | { readonly ok: false; readonly issues: readonly Issue[] }

/** Holds a manifest against the schema; every problem of the file becomes one issue, in the order of the lines. */
export function checkManifest(text: ManifestText, file: string): Checked {
  const value: unknown = text.value
  if (validator.Check(value)) return { ok: true, written: value }
  const found: { line: number; message: string }[] = []
  for (const { path, message } of problems(text.value, allErrors(value))) {
    if (found.length === MAX_ISSUES) break
    found.push({ line: text.lineOf(path), message })
  }
  found.sort((a, b) => a.line - b.line)
  return { ok: false, issues: found.map(({ line, message }) => ({ path: `${file}:${line}`, message })) }
}

/** `; did you mean x?` when one of the candidates is near. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  if (candidates.length === 0) return ''
  const plain = word.toLowerCase()
  const part = plain.length >= 4 ? candidates.find((candidate) => candidate.includes(plain)) : undefined
  const near = closest(plain, candidates)
  const allowed = Math.max(1, Math.floor(Math.max(plain.length, near.length) / 3))
  if (distance(plain, near) <= allowed) return `; did you mean ${near}?`
  return part === undefined ? '' : `; did you mean ${part}?`
}

interface Problem {
  readonly path: Path
  readonly message: string
}

// TypeBox stops at 8 errors by a process-wide setting. It is lifted for this synchronous call only; the file's size bounds them.
function allErrors(value: unknown): TLocalizedValidationError[] {
  const { maxErrors } = Settings.Get()
  Settings.Set({ maxErrors: Number.MAX_SAFE_INTEGER })
  try {
    return validator.Errors(value)
  } finally {
    Settings.Set({ maxErrors })
  }
}

function* problems(root: Json, errors: readonly TLocalizedValidationError[]): Generator<Problem> {
  const byPlace = Map.groupBy(errors, (error) => error.instancePath)
  for (const [pointer, group] of byPlace) {
    const path = pathOf(root, pointer)
    const found = valueAt(root, path)
    const schema = schemaAt(path)
    let named = false
    for (const error of group) {
      if (error.keyword === 'additionalProperties') {
        named = true
        for (const key of error.params.additionalProperties) yield unknownKey(path, key, schema)
      } else if (error.keyword === 'required') {
        named = true
        for (const key of error.params.requiredProperties) yield missingKey(path, key)
      }
    }
    // `boolean` repeats an unknown key. In a union of a name and a mapping the other branch also complains: told above.
    const own = group.filter((error) => error.keyword !== 'boolean')
    const first = own[0]
    const descends = Type.IsUnion(schema) && found !== undefined && isObject(found)
    if (named || first === undefined || (descends && own.some((error) => error.keyword === 'anyOf'))) continue
    yield { path, message: mismatch(path, schema, found, first) }
  }
}

function unknownKey(path: Path, key: string, schema: Type.TSchema | undefined): Problem {
  const object = objectVariant(schema)
  const at = [...path, key]
  if (Type.IsRecord(object)) {
    const expected =
      path[0] === 'actions' ? 'an action name of letters, digits and _ . : - (at most 128)' : 'a variable name of letters, digits and _'
    return { path: at, message: `${keyOf(path)}: expected ${expected}, found ${quote(key)}` }
  }
  const known = Type.IsObject(object) ? Object.keys(object.properties) : []
  const hint = didYouMean(key, known) || `; known here: ${known.join(', ')}`
  return { path: at, message: `${keyOf(at)}: unknown key${hint}` }
}

function missingKey(path: Path, key: string): Problem {
  const schema = schemaAt([...path, key])
  return { path, message: `${keyOf([...path, key])}: expected ${expectation(schema)}, found nothing; this key is required` }
}

function mismatch(path: Path, schema: Type.TSchema | undefined, found: Json | undefined, error: TLocalizedValidationError): string {
  const key = keyOf(path) || 'the manifest'
  // A rule over several keys of a mapping says itself what it wants.
  if (error.keyword === '~refine' && Type.IsObject(schema)) return `${key}: ${error.message}`
  const allowed = error.keyword === 'enum' ? error.params.allowedValues.map(String) : []
  const expected = allowed.length > 0 ? `one of ${allowed.join(', ')}` : expectation(schema)
  const near = allowed.length > 0 && typeof found === 'string' ? didYouMean(found, allowed) : ''
  return `${key}: expected ${expected}, found ${showFound(path, found)}${near || remedy(path, schema, found)}`
}

function remedy(path: Path, schema: Type.TSchema | undefined, found: Json | undefined): string {
  if (path[0] === 'env' && typeof found === 'string') return ' with a ${ that is no ${NAME} or ${NAME:-default}; for a plain ${ write $${'
  if (path[0] === 'entry_point' && typeof found === 'string') {
    if (found.endsWith('.py')) return '; Python plugins do not run here: port it to TypeScript and name the new file, such as src/main.ts'
    if (!ENTRY_EXTENSIONS.some((extension) => found.endsWith(extension))) return '; name a TypeScript or JavaScript file'
    return '; write it relative to plugin.yaml, with / between its parts'
  }
  if (path[0] === 'version' && typeof found === 'number') return '; write all three parts, such as 1.0.0'
  // Plain YAML 1.0, 5 and true are not texts.
  if ((typeof found === 'number' || typeof found === 'boolean') && Type.IsString(schema) && Check(schema, String(found))) {
    return path[0] === 'env' ? '; put it in quotes' : `; put it in quotes: "${found}"`
  }
  if (Type.IsArray(schema) && typeof found === 'string') return `; write [${quote(found)}]`
  if (found === null) return '; give it a value or remove the key'
  return ''
}

function expectation(schema: Type.TSchema | undefined): string {
  if (schema !== undefined && 'description' in schema && typeof schema.description === 'string') return schema.description
  if (Type.IsEnum(schema)) return `one of ${schema.enum.join(', ')}`
  if (Type.IsArray(schema)) return 'a list'
  if (Type.IsObject(schema)) return `a mapping with ${Object.keys(schema.properties).join(', ')}`
  return 'a mapping'
}

function showFound(path: Path, found: Json | undefined): string {
  if (found === undefined || found === null) return 'nothing'
  if (Array.isArray(found)) return 'a list'
  if (typeof found === 'object') return 'a mapping'
  // Values under env may be secrets.
  if (path[0] === 'env') return `a ${typeof found}`
  return typeof found === 'string' ? quote(found) : String(found)
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text)
}

function objectVariant(schema: Type.TSchema | undefined): Type.TSchema | undefined {
  return Type.IsUnion(schema) ? schema.anyOf.find((branch) => Type.IsObject(branch)) : schema
}

function schemaAt(path: Path): Type.TSchema | undefined {
  let schema: Type.TSchema | undefined = ManifestSchema
  for (const part of path) {
    const here: Type.TSchema | undefined = objectVariant(schema)
    if (Type.IsArray(here)) schema = here.items
    else if (Type.IsRecord(here)) schema = Type.RecordValue(here)
    else if (Type.IsObject(here)) schema = here.properties[part]
    else return undefined
  }
  return schema
}

function pathOf(root: Json, pointer: string): Path {
  const path: (string | number)[] = []
  let value: Json | undefined = root
  for (const raw of pointer.split('/').slice(1)) {
    const part: string | number = Array.isArray(value) ? Number(raw) : raw.replaceAll('~1', '/').replaceAll('~0', '~')
    path.push(part)
    value = value === undefined ? undefined : child(value, part)
  }
  return path
}

function valueAt(root: Json, path: Path): Json | undefined {
  let value: Json | undefined = root
  for (const part of path) value = value === undefined ? undefined : child(value, part)
  return value
}

function child(value: Json, part: string | number): Json | undefined {
  if (typeof part === 'number') return Array.isArray(value) ? value[part] : undefined
  return isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined
}
