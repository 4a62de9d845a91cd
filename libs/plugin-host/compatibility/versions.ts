import type { Database, Statement } from '../../postgres/sql.ts'
import type { PluginStatus } from '../port.ts'
import { actionSchemasOf, type ActionSchemas } from './compare-actions.ts'

/** A version of a plugin that some process has loaded. */
export interface PluginVersion {
  readonly version: string
  readonly firstSeen: Date
  readonly actions: readonly ActionSchemas[]
}

/** What the versions of plugins declared, kept for good: table `plugin_versions`. */
export interface PluginVersions {
  /** Keeps what is ready; the same version again with other actions takes the place of the first. */
  record(status: PluginStatus): Promise<void>
  /** Newest first; empty: no version of it was ever ready. */
  list(plugin: string): Promise<readonly PluginVersion[]>
}

const RECORD: Statement = {
  name: 'plugin_versions_record',
  text: `
    insert into xcore.plugin_versions (plugin, version, manifest, actions)
    values ($1, $2, $3::jsonb, $4::jsonb)
    on conflict (plugin, version) do update set manifest = excluded.manifest, actions = excluded.actions
    where (plugin_versions.manifest, plugin_versions.actions) is distinct from (excluded.manifest, excluded.actions)`,
}
const LIST: Statement = {
  name: 'plugin_versions_list',
  text: `select version, first_seen, actions from xcore.plugin_versions where plugin = $1 order by first_seen desc, version desc`,
}

export function createPluginVersions(database: Database): PluginVersions {
  return {
    async record({ name, version, manifest, actions, state }) {
      if (state !== 'ready' || version === null) return
      const schemas = actions.map(({ name: action, input, output = null }) => ({ name: action, input, output }))
      await database.query(RECORD, [name, version, JSON.stringify(manifest), JSON.stringify(schemas)])
    },
    async list(plugin) {
      const rows = await database.query<{ version: string; first_seen: Date; actions: unknown }>(LIST, [plugin])
      return rows.map(({ version, first_seen, actions }) => ({ version, firstSeen: first_seen, actions: actionSchemasOf(actions) ?? [] }))
    },
  }
}
