import type { Sql, Statement } from '../../../postgres/sql.ts'
import type { CacheStore } from '../port.ts'

// Times are the server's: all processes share its clock. statement_timestamp() moves on within a transaction.
const GET: Statement = {
  name: 'cache_get',
  text: `select value from xcore.cache where plugin = $1 and key = $2 and expires_at > statement_timestamp()`,
}
const GET_MANY: Statement = {
  name: 'cache_get_many',
  text: `select key, value from xcore.cache where plugin = $1 and key = any($2::text[]) and expires_at > statement_timestamp()`,
}
// Rows are written in key order, so that two writers of the same keys wait for each other instead of deadlocking.
const SET: Statement = {
  name: 'cache_set',
  text: `
    insert into xcore.cache (plugin, key, value, expires_at)
    select $1, key, value, statement_timestamp() + $4 * interval '1 millisecond'
    from unnest($2::text[], $3::text[]) as r(key, value)
    order by key
    on conflict (plugin, key) do update set value = excluded.value, expires_at = excluded.expires_at`,
}
const DELETE: Statement = {
  name: 'cache_delete',
  text: `delete from xcore.cache where plugin = $1 and key = $2 returning expires_at > statement_timestamp() as was_there`,
}
const EXISTS: Statement = {
  name: 'cache_exists',
  text: `select 1 as found from xcore.cache where plugin = $1 and key = $2 and expires_at > statement_timestamp()`,
}
const CLEAR: Statement = { name: 'cache_clear', text: `delete from xcore.cache where plugin = $1` }
const KEYS: Statement = {
  name: 'cache_keys',
  text: `select key from xcore.cache where plugin = $1 and expires_at > statement_timestamp()`,
}
const SWEEP: Statement = {
  name: 'cache_sweep',
  text: `
    delete from xcore.cache
    where ctid = any(array(select ctid from xcore.cache where expires_at <= statement_timestamp() limit $1 for update skip locked))
    returning 1 as swept`,
}

/** The cache in an unlogged table: shared by all processes, empty after a crash of Postgres. */
export function createPostgresCacheStore(sql: Sql): CacheStore {
  return {
    async get(plugin, key) {
      const [row] = await sql.query<{ value: string }>(GET, [plugin, key])
      return row?.value ?? null
    },
    async getMany(plugin, keys) {
      const rows = await sql.query<{ key: string; value: string }>(GET_MANY, [plugin, keys])
      const found = new Map(rows.map(({ key, value }) => [key, value]))
      return keys.map((key) => found.get(key) ?? null)
    },
    async set(plugin, entries, ttlMs) {
      await sql.query(SET, [plugin, entries.map(({ key }) => key), entries.map(({ value }) => value), ttlMs])
    },
    async delete(plugin, key) {
      const [row] = await sql.query<{ was_there: boolean }>(DELETE, [plugin, key])
      return row?.was_there ?? false
    },
    exists: async (plugin, key) => (await sql.query(EXISTS, [plugin, key])).length > 0,
    clear: async (plugin) => void (await sql.query(CLEAR, [plugin])),
    keys: async (plugin) => (await sql.query<{ key: string }>(KEYS, [plugin])).map(({ key }) => key),
  }
}

const SWEEP_BATCH = 5_000

/** Deletes entries whose time is up, a batch at a time; returns how many. Called by the elected maintenance. */
export async function sweepCache(sql: Sql, signal: AbortSignal): Promise<number> {
  for (let swept = 0; ;) {
    const rows = await sql.query(SWEEP, [SWEEP_BATCH])
    swept += rows.length
    if (rows.length < SWEEP_BATCH || signal.aborted) return swept
  }
}
