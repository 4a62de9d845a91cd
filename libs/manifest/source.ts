import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit, type Document, type YAMLError } from 'yaml'
import type { Issue } from '../errors/index.ts'
import { messageOf } from '../errors/index.ts'
import type { Json, JsonObject } from '../event-log/index.ts'
import { jsonError } from './json-syntax.ts'

/** Bytes. A hand-written manifest is a hundredth of it. */
export const MAX_MANIFEST_BYTES = 256 * 1024
const MAX_ALIASES = 50
const TOO_MANY_ALIASES = `expected at most ${MAX_ALIASES} aliases, those inside of aliases included, found more`
const MAX_DEPTH = 64
const MAX_SYNTAX_ISSUES = 20

export type Path = readonly (string | number)[]

/** A manifest's text as data, with the line of each key. */
export interface ManifestText {
  readonly value: JsonObject
  /** Line (1-based) of the key or list entry at `path`; of the nearest part that exists when it does not. */
  lineOf(path: Path): number
}

export type ReadText = { readonly ok: true; readonly text: ManifestText } | { readonly ok: false; readonly issues: readonly Issue[] }

/**
 * Reads YAML 1.2, or JSON for a `.json` file. Refuses syntax errors, duplicate keys, several documents, tabs as indentation,
 * more than 50 aliases, cycles, more than 64 levels and what JSON can't hold.
 */
export function readText(text: string, file: string): ReadText {
  const refuse = (message: string, line?: number): ReadText => ({
    ok: false,
    issues: [{ path: line === undefined ? file : `${file}:${line}`, message }],
  })
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_MANIFEST_BYTES) {
    return refuse(`expected at most ${MAX_MANIFEST_BYTES} bytes, found ${bytes}; keep data out of the manifest`)
  }
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    stringKeys: true,
    // The library's own check compares each key with each other: seconds for a file of the permitted size.
    uniqueKeys: false,
    resolveKnownTags: false,
    prettyErrors: false,
    logLevel: 'error',
  })
  const faults = new Map<string, Issue>()
  const fault = (offset: number, message: string): void => {
    const issue = { path: `${file}:${lines.linePos(offset).line}`, message }
    faults.set(`${issue.path} ${message}`, issue)
  }
  if (file.endsWith('.json')) {
    const error = jsonError(text)
    if (error !== undefined) fault(error.offset, error.message)
  }
  if (faults.size === 0) for (const error of [...document.errors, ...document.warnings]) fault(error.pos[0], syntaxMessage(error))
  if (faults.size === 0) checkNodes(document, fault)
  if (faults.size > 0) return { ok: false, issues: [...faults.values()].slice(0, MAX_SYNTAX_ISSUES) }
  const lineOf = (path: Path): number => lineIn(document, lines, path)
  let raw: unknown
  try {
    raw = document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (thrown) {
    return refuse(thrown instanceof ReferenceError ? TOO_MANY_ALIASES : messageOf(thrown))
  }
  if (raw === null || raw === undefined) return refuse('expected a mapping with at least `name` and `version`, found an empty file', 1)
  const read = toJson(raw, [])
  if (!read.ok) return refuse(`${formatPath(read.path)}${read.problem}`, lineOf(read.path))
  if (!isObject(read.json)) {
    return refuse(`expected a mapping such as \`name: my_plugin\`, found ${Array.isArray(read.json) ? 'a list' : 'a single value'}`, 1)
  }
  return { ok: true, text: { value: read.json, lineOf } }
}

/** Duplicate keys and bad aliases. */
function checkNodes(document: Document.Parsed, fault: (offset: number, message: string) => void): void {
  let aliases = 0
  visit(document, {
    Map: (_key, map) => {
      const seen = new Set<unknown>()
      for (const { key } of map.items) {
        if (!isScalar(key)) continue
        if (seen.has(key.value))
          fault(key.range?.[0] ?? 0, `${String(key.value)}: expected each key once, found it again; remove one of them`)
        seen.add(key.value)
      }
    },
    Alias: (_key, alias) => {
      aliases += 1
      if (aliases > MAX_ALIASES) {
        fault(alias.range?.[0] ?? 0, TOO_MANY_ALIASES)
        return visit.BREAK
      }
      if (alias.resolve(document) === undefined) fault(alias.range?.[0] ?? 0, `*${alias.source} has no anchor &${alias.source} before it`)
      return undefined
    },
  })
}

function syntaxMessage(error: YAMLError): string {
  if (error.code === 'TAB_AS_INDENT') return 'expected spaces as indentation, found a tab'
  if (error.code === 'MULTIPLE_DOCS') return 'expected one document, found another one after ---'
  if (error.code === 'RESOURCE_EXHAUSTION') return `expected at most ${MAX_DEPTH} levels, found far more`
  return error.message.split('\n')[0] ?? error.code
}

/** `resources.rate_limit.calls`, `requires[0].name`. */
export function keyOf(path: Path): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('')
}

function formatPath(path: Path): string {
  return path.length === 0 ? '' : `${keyOf(path)}: `
}

export function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

type Converted = { readonly ok: true; readonly json: Json } | { readonly ok: false; readonly path: Path; readonly problem: string }

// Stops at the first fault, so that a cycle ends at the depth cap after one descent however wide it is.
function toJson(value: unknown, path: Path): Converted {
  if (path.length > MAX_DEPTH)
    return { ok: false, path: [], problem: `expected at most ${MAX_DEPTH} levels, found more (or an alias inside its own anchor)` }
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return { ok: true, json: value }
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return { ok: true, json: value }
    return { ok: false, path, problem: `expected a finite number, found ${value}` }
  }
  if (Array.isArray(value)) {
    const list: Json[] = []
    for (const [index, item] of value.entries()) {
      const read = toJson(item, [...path, index])
      if (!read.ok) return read
      list.push(read.json)
    }
    return { ok: true, json: list }
  }
  if (typeof value !== 'object') return { ok: false, path, problem: `expected a JSON value, found a ${typeof value}` }
  const map: Record<string, Json> = {}
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__') return { ok: false, path: [...path, key], problem: 'this key is not allowed' }
    const read = toJson(item, [...path, key])
    if (!read.ok) return read
    map[key] = read.json
  }
  return { ok: true, json: map }
}

function lineIn(document: Document.Parsed, lines: LineCounter, path: Path): number {
  let node: unknown = document.contents
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === part)
      if (pair === undefined) break
      if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      node = typeof part === 'number' ? node.items[part] : undefined
      if (isNode(node)) offset = node.range?.[0] ?? offset
    } else break
  }
  return lines.linePos(offset).line || 1
}
