import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pino } from 'pino'
import type { HandlerResult, Invocation } from '../../engine/plugin-port.ts'
import { pluginName, type Job, type Json } from '../../event-log/index.ts'
import { createPluginHost } from '../host.ts'
import type { PluginHostOptions } from '../options.ts'
import type { PluginHost, PluginState, PluginSwitch } from '../port.ts'
import { MemoryPlatform, makeJob } from './memory-platform.ts'

/** The text of a plugin's entry file, or its files by path. */
export type PluginText = string | Readonly<Record<string, string>>

export interface TestHost extends AsyncDisposable {
  readonly dir: string
  readonly host: PluginHost
  readonly platform: MemoryPlatform
  /** Log lines so far, parsed. */
  readonly lines: readonly Readonly<Record<string, unknown>>[]
  /** Runs one attempt of a job on a plugin that is ready. */
  run(plugin: string, name: string, payload?: Json, job?: Partial<Job>, invocation?: Partial<Invocation>): Promise<HandlerResult>
}

/** Writes the plugins to a new folder outside of this repository and loads them; `whileLoading` runs meanwhile. Removed with `await using`. */
export async function hostWith(
  plugins: Readonly<Record<string, PluginText>>,
  options: Partial<PluginHostOptions> = {},
  whileLoading?: () => Promise<void>,
  switches: readonly PluginSwitch[] = [],
): Promise<TestHost> {
  const dir = await mkdtemp(join(tmpdir(), 'xcore-plugins-'))
  for (const [name, text] of Object.entries(plugins)) await writePlugin(join(dir, name), name, text)
  const lines: Record<string, unknown>[] = []
  const logger = pino({ level: 'debug', base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const host = createPluginHost({ dir, frameworkVersion: '3.0.0', hostEnv: {}, logger, ...options })
  const platform = new MemoryPlatform((plugin) => host.find(plugin), logger)
  const loading = host.loadAll(platform, switches)
  await whileLoading?.()
  await loading
  return {
    dir,
    host,
    platform,
    lines,
    async run(plugin, name, payload = {}, job = {}, invocation = {}) {
      const found = host.find(plugin)
      if (found === undefined) throw new Error(`plugin ${plugin} is not ready: ${JSON.stringify(host.refusal(plugin))}`)
      const signal = new AbortController().signal
      const deadline = new Date(Date.now() + 10_000)
      return found.execute({ job: makeJob({ plugin: pluginName(plugin), name, payload, ...job }), deadline, signal, logger, ...invocation })
    },
    async [Symbol.asyncDispose]() {
      await platform.settled()
      await host.unloadAll()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Plugin states as signals: pass `metrics` to the host. */
export class StateSignals {
  readonly #seen = new Set<string>()
  readonly #waiting = new Map<string, () => void>()
  readonly metrics: NonNullable<PluginHostOptions['metrics']> = {
    pluginState: {
      set: ({ plugin, state }, value) => {
        if (value !== 1) return
        this.#seen.add(`${plugin} ${state}`)
        this.#waiting.get(`${plugin} ${state}`)?.()
      },
      remove() {},
      clear() {},
    },
  }

  async reached(plugin: string, state: PluginState): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.set(`${plugin} ${state}`, resolve)
    if (this.#seen.has(`${plugin} ${state}`)) resolve()
    await promise
  }
}

async function writePlugin(folder: string, name: string, text: PluginText): Promise<void> {
  const files = typeof text === 'string' ? { 'src/main.ts': text } : text
  const all = { 'plugin.yaml': `name: ${name}\nversion: 1.0.0\n`, ...files }
  for (const [path, content] of Object.entries(all)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
}

/** A plugin class around some members. */
export function pluginClass(members: string, head = ''): string {
  return `import { Discard, HttpError, RetryLater, Router, TrustedBase, Type, action, error, ok } from '@xcore/sdk'
${head}
export default class Plugin extends TrustedBase {
${members}
}
`
}
