import { SourceMap } from 'node:module'
import type { SourceMapPayload } from 'node:module'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'

/** What comes out of a sandbox may say anything: only so much of it is looked at. */
const MAX_CHARACTERS = 32_768
const MAX_LINES = 100
/** A larger one is left aside: reading it takes longer than stacks are worth. */
const MAX_MAP_CHARACTERS = 16 * 1024 * 1024
/** Stands for its path, which is nobody's business. */
const BUNDLE = 'bundle'

/** Puts the author's files and lines in place of the bundle's. */
export interface StackMap {
  /** Never throws. Text without a place in the bundle comes back as it is. */
  rewrite(text: string): string
}

export interface StackMapOptions {
  /** Absolute paths of the plugin's bundle and of the program that runs it. */
  readonly bundle: string
  readonly program: string
  /** As esbuild made it for the bundle; null: none. */
  readonly map: string | null
}

/**
 * Maps stacks in the host, after the fact: the sandbox gets neither the map nor the right to read one. The map is parsed when the
 * first stack needs it.
 */
export function stackMap({ bundle, program, map }: StackMapOptions): StackMap {
  const bundleUrl = pathToFileURL(bundle).href
  const programUrl = `${pathToFileURL(dirname(program)).href}/`
  let parsed: SourceMap | null | undefined

  function placeOf(line: number, column: number): string | undefined {
    if (parsed === undefined) parsed = parse(map)
    const entry = parsed?.findEntry(line - 1, column - 1)
    if (entry === undefined || !('originalSource' in entry) || typeof entry.originalSource !== 'string') return undefined
    return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
  }

  function mapped(line: string): string {
    let out = ''
    let at = 0
    for (;;) {
      const found = line.indexOf(bundleUrl, at)
      if (found === -1) return out + line.slice(at)
      const end = found + bundleUrl.length
      const [all, row, column] = /^:(\d{1,9})(?::(\d{1,9}))?/.exec(line.slice(end, end + 21)) ?? ['']
      out += line.slice(at, found) + (row === undefined ? BUNDLE : (placeOf(Number(row), Number(column ?? 1)) ?? `${BUNDLE}${all}`))
      at = end + all.length
    }
  }

  return {
    rewrite(text) {
      if (!text.includes(bundleUrl) && !text.includes(programUrl)) return text
      const lines = text.slice(0, MAX_CHARACTERS).split('\n', MAX_LINES)
      // What runs the plugin is not the author's, and where it lies is nobody's business.
      return lines
        .filter((line) => !line.includes(programUrl))
        .map(mapped)
        .join('\n')
    },
  }
}

/** Null: no map, or not one that can be used. */
function parse(map: string | null): SourceMap | null {
  if (map === null || map.length > MAX_MAP_CHARACTERS) return null
  try {
    const payload: unknown = JSON.parse(map)
    return isPayload(payload) && payload.sources.every(isInside) ? new SourceMap(payload) : null
  } catch {
    return null
  }
}

/** Relative, not upwards, and of one line: it becomes part of messages and log lines. */
function isInside(source: string): boolean {
  return !/^(\/|[a-z][a-z0-9+.-]*:)|(^|\/)\.\.(\/|$)|\p{Cc}/iu.test(source)
}

function isPayload(value: unknown): value is SourceMapPayload {
  return (
    typeof value === 'object' &&
    value !== null &&
    'mappings' in value &&
    typeof value.mappings === 'string' &&
    'sources' in value &&
    Array.isArray(value.sources) &&
    value.sources.every((source) => typeof source === 'string')
  )
}
