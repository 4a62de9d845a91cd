import { watch } from 'node:fs'
import { join, resolve, sep } from 'node:path'
import { messageOf } from '../errors/index.ts'
import { discoverPlugin } from '../manifest/index.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { PluginHost } from './port.ts'

export interface WatchOptions {
  /** The folder that holds the plugins' folders. */
  readonly dir: string
  readonly host: Pick<PluginHost, 'statuses' | 'load' | 'reload'>
  readonly logger: Logger
  /** Milliseconds without a change before it acts: an editor writes more than one file, and each more than once. Default: 100. */
  readonly quietMs?: number
}

const SOURCES = /[.](ts|mts|js|mjs|cjs|json|ya?ml|sql)$|(^|[/\\])[.]env$/
/** What a plugin writes while it runs must not set off a reload. */
const OTHERS = /(^|[/\\])(node_modules|data|[.](?!env$)[^/\\]*)([/\\]|$)/

/**
 * Reloads a plugin in this process when a file of it is saved, and loads one whose folder is new. What can't be loaded leaves the old
 * instance serving; the log tells why. Ends with `Symbol.dispose`.
 */
export function watchPlugins({ dir, host, logger, quietMs = 100 }: WatchOptions): Disposable {
  const timers = new Map<string, NodeJS.Timeout>()

  async function changed(folder: string): Promise<void> {
    const known = host.statuses().find((status) => status.folder === folder)
    if (known?.state === 'unloaded' || known?.state === 'draining') return
    try {
      if (known !== undefined) {
        await (known.state === 'ready' ? host.reload(known.name) : host.load(known.name))
        return logger.info({ plugin: known.name }, `plugin ${known.name} was saved, and is reloaded`)
      }
      const found = await discoverPlugin(folder)
      if (found === undefined) return
      const name = found.ok ? found.manifest.name : found.name
      await host.load(name)
      logger.info({ plugin: name }, `plugin ${name} is new, and is loaded`)
    } catch (thrown) {
      logger.warn({ folder }, `a plugin was saved but can't be loaded: ${messageOf(thrown)}`)
    }
  }

  const root = resolve(dir)
  const watcher = watch(root, { recursive: true }, (_event, path) => {
    if (path === null || !SOURCES.test(path) || OTHERS.test(path)) return
    const [name] = path.split(sep)
    if (name === undefined || name === path) return
    const folder = join(root, name)
    clearTimeout(timers.get(folder))
    timers.set(
      folder,
      setTimeout(() => {
        timers.delete(folder)
        void changed(folder)
      }, quietMs),
    )
  })
  watcher.on('error', (err) => logger.error({ err }, 'watching the plugins failed; restart to watch again'))
  return {
    [Symbol.dispose]() {
      watcher.close()
      for (const timer of timers.values()) clearTimeout(timer)
    },
  }
}
