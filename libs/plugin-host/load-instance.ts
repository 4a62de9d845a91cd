import { boundsOf } from './bounds.ts'
import type { PluginMetrics } from '@xcore/sdk'
import { XCoreError } from '../errors/index.ts'
import { readPluginEnv, type ExecutionMode, type Manifest } from '../manifest/index.ts'
import { Instance } from './instance.ts'
import type { PluginHostOptions } from './options.ts'
import { createPermissions } from './permissions/permissions.ts'
import type { PluginPlatform } from './port.ts'
import type { HookDeadlines, Runner } from './runner.ts'
import { legacyRunner } from './runners/legacy/runner.ts'
import { PluginModules } from './runners/trusted/plugin-modules.ts'
import { createSandboxedRunner } from './runners/sandboxed/runner.ts'
import type { SandboxedRunner } from './runners/sandboxed/runner.ts'
import { trustedRunner } from './runners/trusted/runner.ts'
import { running } from './runners/trusted/running.ts'

const DROPPED: PluginMetrics = { increment() {}, set() {}, observe() {} }

/** Makes instances of plugins, each with all it is given: environment, permissions, services, deadlines. */
export class InstanceLoader implements AsyncDisposable {
  readonly #options: PluginHostOptions
  readonly #platform: PluginPlatform
  readonly #modules = new PluginModules()
  readonly #sandboxed: SandboxedRunner
  readonly #runners: Readonly<Partial<Record<ExecutionMode, Runner>>>

  constructor(options: PluginHostOptions, platform: PluginPlatform) {
    this.#options = options
    this.#platform = platform
    this.#sandboxed = createSandboxedRunner({
      logger: options.logger,
      ...options.sandbox,
      onRestart: (plugin, reason) => options.metrics?.sandboxRestartsTotal?.inc({ plugin, reason }),
    })
    this.#runners = { trusted: trustedRunner, legacy: legacyRunner, sandboxed: this.#sandboxed }
  }

  /** Imports the plugin's files anew and runs `onLoad`. Rejects with XCoreError `plugin_load_failed`, `env_missing`. */
  async load(folder: string, manifest: Manifest, handOver: (() => Promise<unknown>) | null): Promise<Instance> {
    const { logger, services = {}, clock, pluginMetrics, hostEnv, onDenied, databases, inProcess } = this.#options
    const runner = inProcess && manifest.executionMode === 'sandboxed' ? trustedRunner : this.#runners[manifest.executionMode]
    if (runner === undefined) throw unsupported(manifest)
    const permissions = createPermissions(manifest, (denial) =>
      onDenied?.({ ...denial, plugin: manifest.name, job: running.getStore()?.job ?? null }),
    )
    const owner = { name: manifest.name, folder, logger: logger.child({ plugin: manifest.name }), permissions, ...boundsOf(manifest) }
    await databases?.migrate(owner)
    const loaded = await runner.load({
      manifest,
      folder,
      entryUrl: await this.#modules.begin(folder, manifest.entryPoint, manifest.executionMode === 'legacy'),
      env: await readPluginEnv(folder, manifest, hostEnv),
      logger: logger.child({ plugin: manifest.name }),
      metrics: pluginMetrics?.(manifest.name) ?? DROPPED,
      permissions,
      platform: this.#platform,
      services,
      begin: databases === undefined ? null : () => databases.begin(owner),
      deadlines: deadlinesOf(this.#options),
      handOver,
      now: () => clock?.now() ?? new Date(),
    })
    return new Instance(loaded, manifest)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#modules[Symbol.dispose]()
    await this.#sandboxed[Symbol.asyncDispose]()
  }
}

function deadlinesOf({ deadlines }: PluginHostOptions): HookDeadlines {
  return { load: 30_000, unload: 10_000, reload: 10_000, hook: 5_000, ...deadlines }
}

function unsupported(manifest: Manifest): XCoreError {
  return new XCoreError(
    'plugin_load_failed',
    `plugin ${manifest.name}: execution_mode ${manifest.executionMode} is not supported by this version of XCore; ` +
      'use `execution_mode: trusted` if you trust its code with everything this process may do',
  )
}
