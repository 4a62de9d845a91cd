import type { KernelEvents } from '../../engine/kernel-events.ts'
import type { Sql, Statement } from '../../postgres/sql.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { LifecycleNews, PluginStatus } from '../port.ts'

export interface NewsDesk {
  /** Never throws. */
  tell(news: LifecycleNews): void
  drained(): Promise<void>
}

export interface NewsDeskOptions {
  readonly database: Sql
  /** Asked for when there is something to tell. */
  readonly kernel: () => Pick<KernelEvents, 'tell'>
  readonly status: (plugin: string) => PluginStatus | undefined
  /** `host/pid` of this process. */
  readonly process: string
  readonly logger: Logger
}

const RECORD_VERSION: Statement = {
  name: 'plugin_version_record',
  text: `
    insert into xcore.plugin_versions (plugin, version, manifest, actions) values ($1, $2, $3::jsonb, $4::jsonb)
    on conflict (plugin, version) do update set manifest = excluded.manifest, actions = excluded.actions
    where (plugin_versions.manifest, plugin_versions.actions) is distinct from (excluded.manifest, excluded.actions)`,
}

/**
 * Tells plugins what becomes of plugins: `plugin.loaded`, `.reloaded`, `.unloaded`, `.failed`, once for each process in which it happens;
 * and keeps what each version of a plugin declares.
 */
export function createNewsDesk({ database, kernel, status, process, logger }: NewsDeskOptions): NewsDesk {
  const telling = new Set<Promise<void>>()

  async function publish({ kind, plugin, version, error }: LifecycleNews): Promise<void> {
    const known = status(plugin)
    if ((kind === 'loaded' || kind === 'reloaded') && known !== undefined && version !== null && known.manifest !== null) {
      await database.query(RECORD_VERSION, [plugin, version, JSON.stringify(known.manifest), JSON.stringify(known.actions)])
    }
    const data = { plugin, version, process, ...(error === null ? {} : { error: { code: error.code, message: error.message } }) }
    await kernel().tell({ name: `plugin.${kind}`, data })
  }

  return {
    tell(news) {
      const told = publish(news)
        .catch((err: unknown) => logger.warn({ err, plugin: news.plugin }, `plugin.${news.kind} could not be told`))
        .finally(() => telling.delete(told))
      telling.add(told)
    },
    async drained() {
      await Promise.all(telling)
    },
  }
}
