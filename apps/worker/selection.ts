import type { WorkerGroup as GroupSetting } from '../../libs/config/index.ts'
import { EVERYTHING } from '../../libs/engine/consumers.ts'
import type { WorkerGroup } from '../../libs/engine/consumers.ts'
import { XCoreError, didYouMean } from '../../libs/errors/index.ts'

/** What `xcore worker` was told on its command line. */
export interface SelectionOptions {
  /** A name of `worker.groups`. */
  readonly group?: string
  /** Names or globs, comma-separated. */
  readonly plugins?: string
  /** Jobs at once in the process. */
  readonly concurrency?: string
}

/** Which plugins' jobs a worker process runs. Throws XCoreError `config_invalid` for an unknown group and for options that make no sense. */
export function selectionOf(groups: Readonly<Record<string, GroupSetting>>, options: SelectionOptions): WorkerGroup {
  if (options.group !== undefined && options.plugins !== undefined) {
    throw new XCoreError('config_invalid', '--group and --plugins were both given: a group says which plugins it takes; pass one of them.')
  }
  const selection = options.group === undefined ? named(options.plugins) : groupNamed(groups, options.group)
  return options.concurrency === undefined ? selection : { ...selection, concurrency: concurrencyOf(options.concurrency) }
}

function named(plugins: string | undefined): WorkerGroup {
  if (plugins === undefined) return EVERYTHING
  const patterns = plugins
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  if (patterns.length === 0) throw new XCoreError('config_invalid', '--plugins: expected names or globs, comma-separated, found nothing.')
  return { ...EVERYTHING, plugins: patterns }
}

function groupNamed(groups: Readonly<Record<string, GroupSetting>>, name: string): WorkerGroup {
  const found = Object.hasOwn(groups, name) ? groups[name] : undefined
  if (found !== undefined) return { name, plugins: found.plugins, concurrency: found.concurrency ?? EVERYTHING.concurrency }
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
