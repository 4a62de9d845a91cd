import { pluginName } from '../event-log/index.ts'
import { compileGlob } from '../event-log/glob.ts'
import type { Database, Sql, Statement, Tx } from '../postgres/sql.ts'
import type { Subscription, SubscriptionRegistry } from './port.ts'

/** A subscription with the plugin version that made it. */
export interface KnownSubscription extends Subscription {
  readonly pluginVersion: string
}

interface SubscriptionRow {
  plugin: string
  id: string
  pattern: string
  priority: number
  once: boolean
  max_attempts: number
  plugin_version: string
}

const EPOCH: Statement = { name: 'subscriptions_epoch', text: `select value from xcore.epochs where name = 'subscriptions'` }
// The transaction's own id, not a count: a count that was rolled back is given again to another change, and whoever cached what it
// read in the transaction that rolled back would take that for the new state.
const BUMP: Statement = {
  name: 'subscriptions_bump',
  text: `update xcore.epochs set value = pg_current_xact_id()::text::bigint where name = 'subscriptions'`,
}
const ALL: Statement = {
  name: 'subscriptions_all',
  text: `select plugin, id, pattern, priority, once, max_attempts, plugin_version from xcore.subscriptions order by priority desc, plugin, id`,
}
const SAVE: Statement = {
  name: 'subscriptions_save',
  text: `
    insert into xcore.subscriptions (plugin, id, pattern, priority, once, max_attempts, plugin_version)
    select plugin, id, pattern, priority, once, max_attempts, plugin_version
    from json_to_recordset($1::json) as r(plugin text, id text, pattern text, priority smallint, once boolean, max_attempts smallint, plugin_version text)
    order by plugin, id
    on conflict (plugin, id) do update set pattern = excluded.pattern, priority = excluded.priority, once = excluded.once,
      max_attempts = excluded.max_attempts, plugin_version = excluded.plugin_version
    where (subscriptions.pattern, subscriptions.priority, subscriptions.once, subscriptions.max_attempts, subscriptions.plugin_version)
      is distinct from (excluded.pattern, excluded.priority, excluded.once, excluded.max_attempts, excluded.plugin_version)
    returning 1 as changed`,
}
const REMOVE_OTHERS: Statement = {
  name: 'subscriptions_remove_others',
  text: `delete from xcore.subscriptions where plugin = $1 and id <> all($2::text[]) returning 1 as changed`,
}
const REMOVE: Statement = {
  name: 'subscriptions_remove',
  text: `delete from xcore.subscriptions where (plugin, id) in (select * from unnest($1::text[], $2::text[])) returning plugin, id`,
}
const RETAIN: Statement = {
  name: 'subscriptions_retain',
  text: `delete from xcore.subscriptions where plugin <> all($1::text[]) returning plugin`,
}

/** The registry: rows in Postgres, with a number that every change sets anew in its own transaction. */
export function createSubscriptionRegistry(database: Database): SubscriptionRegistry {
  const rowOf = (subscription: Subscription, version: string): SubscriptionRow => ({
    plugin: subscription.plugin,
    id: subscription.id,
    pattern: subscription.pattern,
    priority: subscription.priority,
    once: subscription.once,
    max_attempts: subscription.maxAttempts,
    plugin_version: version,
  })
  return {
    replace: (plugin, version, subscriptions) =>
      database.transaction(async (tx) => {
        // Two processes that load the same plugin take turns, and the second finds nothing to change.
        const saved = await tx.query(SAVE, [JSON.stringify(subscriptions.map((subscription) => rowOf(subscription, version)))])
        const removed = await tx.query(REMOVE_OTHERS, [plugin, subscriptions.map((subscription) => subscription.id)])
        if (saved.length + removed.length > 0) await tx.query(BUMP)
      }),
    add: (subscription) =>
      database.transaction(async (tx) => {
        const saved = await tx.query(SAVE, [JSON.stringify([rowOf(subscription, '')])])
        if (saved.length > 0) await tx.query(BUMP)
      }),
    remove: (plugin, id) =>
      database.transaction(async (tx) => {
        if ((await tx.query(REMOVE, [[plugin], [id]])).length > 0) await tx.query(BUMP)
      }),
    retain: (known) =>
      database.transaction(async (tx) => {
        const dropped = await tx.query<{ plugin: string }>(RETAIN, [known])
        if (dropped.length > 0) await tx.query(BUMP)
        return [...new Set(dropped.map((row) => pluginName(row.plugin)))]
      }),
  }
}

/** Who gets an event, as of the transaction that emits it. */
export interface Subscribers {
  /** All that match, by priority; cached until that number changes. */
  matching(tx: Sql, name: string): Promise<readonly KnownSubscription[]>
  /** Takes `once` subscriptions off; returns those that were still there. */
  spend(tx: Sql, subscriptions: readonly KnownSubscription[]): Promise<readonly KnownSubscription[]>
}

/** Takes `once` subscriptions off by statements that do not answer: `taking` must see to it that each was still there. */
export async function spendIn(taking: Tx, announcing: Tx, subscriptions: readonly KnownSubscription[]): Promise<void> {
  await taking.query(REMOVE, [subscriptions.map((s) => s.plugin), subscriptions.map((s) => s.id)])
  await announcing.query(BUMP)
}

export function createSubscribers(): Subscribers {
  let epoch: string | undefined
  let known: readonly { readonly subscription: KnownSubscription; readonly matches: (name: string) => boolean }[] = []
  const byName = new Map<string, readonly KnownSubscription[]>()

  return {
    async matching(tx, name) {
      const [row] = await tx.query<{ value: string }>(EPOCH)
      const current = String(row?.value)
      if (current !== epoch) {
        const rows = await tx.query<SubscriptionRow>(ALL)
        known = rows.map((found) => {
          const subscription = {
            ...found,
            plugin: pluginName(found.plugin),
            maxAttempts: found.max_attempts,
            pluginVersion: found.plugin_version,
          }
          return { subscription, matches: compileGlob(found.pattern) }
        })
        byName.clear()
        epoch = current
      }
      const cached = byName.get(name)
      if (cached !== undefined) return cached
      const matched = known.filter(({ matches }) => matches(name)).map(({ subscription }) => subscription)
      // Names come from callers: a cache that grew with them would be a leak.
      if (byName.size >= 1000) byName.clear()
      byName.set(name, matched)
      return matched
    },
    async spend(tx, subscriptions) {
      if (subscriptions.length === 0) return []
      const rows = await tx.query<{ plugin: string; id: string }>(REMOVE, [
        subscriptions.map((s) => s.plugin),
        subscriptions.map((s) => s.id),
      ])
      if (rows.length > 0) await tx.query(BUMP)
      return subscriptions.filter((s) => rows.some((row) => row.plugin === s.plugin && row.id === s.id))
    },
  }
}
