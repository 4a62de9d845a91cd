import type { WorkerGroup } from '../../libs/config/index.ts'
import { XCoreError, didYouMean } from '../../libs/errors/index.ts'
import { matchGlob } from '../../libs/event-log/glob.ts'

/** Which plugins' jobs a worker process runs, and how many at once. */
export interface Selection {
  /** As configured, for logs; `*` is every plugin. */
  readonly patterns: readonly string[]
  /** Jobs at once in the whole process; null: no limit but the plugins' own. */
  readonly concurrency: number | null
}

export const EVERYTHING: Selection = { patterns: ['*'], concurrency: null }

export interface SelectionOptions {
  /** A name of `worker.groups`. */
  readonly group?: string
  /** Names or globs, comma-separated. */
  readonly plugins?: string
  readonly concurrency?: string
}

/** Throws XCoreError `config_invalid` for an unknown group and for options that make no sense. */
export function selectionOf(groups: Readonly<Record<string, WorkerGroup>>, options: SelectionOptions): Selection {
  if (options.group !== undefined && options.plugins !== undefined) {
    throw new XCoreError('config_invalid', '--group and --plugins were both given: a group says which plugins it takes; pass one of them.')
  }
  const base = options.group === undefined ? named(options.plugins) : group(groups, options.group)
  return options.concurrency === undefined ? base : { ...base, concurrency: concurrencyOf(options.concurrency) }
}

export function isSelected(selection: Selection, plugin: string): boolean {
  return selection.patterns.some((pattern) => matchGlob(pattern, plugin))
}

function named(plugins: string | undefined): Selection {
  if (plugins === undefined) return EVERYTHING
  const patterns = plugins.split(',').map((name) => name.trim()).filter((name) => name !== '')
  if (patterns.length === 0) throw new XCoreError('config_invalid', '--plugins: expected names or globs, comma-separated, found nothing.')
  return { patterns, concurrency: null }
}

function group(groups: Readonly<Record<string, WorkerGroup>>, name: string): Selection {
  const found = Object.hasOwn(groups, name) ? groups[name] : undefined
  if (found !== undefined) return { patterns: found.plugins, concurrency: found.concurrency }
  const names = Object.keys(groups)
  const known = names.length === 0 ? 'xcore.yaml has no worker.groups' : `known are ${names.join(', ')}`
  throw new XCoreError('config_invalid', `--group: there is no worker group ${name}; ${known}.${didYouMean(name, names)}`)
}

function concurrencyOf(text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1 || number > 10_000) {
    throw new XCoreError('config_invalid', `--concurrency: expected a whole number from 1 to 10000, found ${text}.`)
  }
  return number
}
