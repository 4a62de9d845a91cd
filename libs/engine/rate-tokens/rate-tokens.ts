import type { Sql, Statement } from '../../postgres/sql.ts'
import { PressureBatch } from '../pressure-batch.ts'
import type { RateLimit } from './gcra.ts'

/** Tokens of the plugins' rate limits, shared by all processes through one Postgres row a plugin. */
export interface RateTokens {
  /** Takes up to `wanted` at once; `retryAfterSeconds` tells when the next one will be there (0 when all were granted). */
  take(plugin: string, limit: RateLimit, wanted: number): Promise<{ readonly granted: number; readonly retryAfterSeconds: number }>
  /** Gives back tokens that were taken but not used. */
  giveBack(plugin: string, limit: RateLimit, unused: number): Promise<void>
}

// gcra.ts in SQL. $2 calls, $3 period in seconds, $4 wanted. The row lock makes concurrent takers queue up; a taker that waited
// sees the winner's TAT, and `now` only a little old, which grants rather too little than too much.
/** `now`: the SQL for the time of the call. */
export const takeSql = (now: string): string => `
    with limits as (
      select $3::float8 / $2::float8 as interval, ${now} as now
    ), held as (
      select plugin, tat from xcore.rate_limits where plugin = $1 for update
    ), room as (
      select plugin, tat, now, interval, greatest(tat, now) as base,
        greatest(0, least($4::int, floor((extract(epoch from now - greatest(tat, now))::float8 + $3::float8 + 0.00000075) / interval)::int)) as granted
      from held, limits
    ), taken as (
      update xcore.rate_limits r
      set tat = case when granted > 0 then base + granted * interval * interval '1 second' else r.tat end
      from room where r.plugin = room.plugin
    )
    select granted,
      greatest(0, extract(epoch from (greatest(case when granted > 0 then base + granted * interval * interval '1 second' else tat end, now) - now))::float8
        + interval - $3::float8) as retry_after
    from room`

const TAKE: Statement = { name: 'rate_tokens_take', text: takeSql('statement_timestamp()') }

const CREATE: Statement = {
  name: 'rate_tokens_create',
  text: `insert into xcore.rate_limits (plugin, tat) values ($1, '-infinity'::timestamptz) on conflict do nothing`,
}

const GIVE_BACK: Statement = {
  name: 'rate_tokens_give_back',
  text: `update xcore.rate_limits set tat = tat - $2::float8 * interval '1 second' where plugin = $1`,
}

interface Order {
  readonly wanted: number
}

/** Takers of one plugin in one process share a round trip: what arrives while one is under way is asked for together. */
export function createRateTokens(sql: Sql): RateTokens {
  const batches = new Map<string, PressureBatch<Order, { granted: number; retryAfterSeconds: number }>>()

  async function takeOnce(plugin: string, limit: RateLimit, wanted: number): Promise<{ granted: number; retryAfter: number }> {
    const params = [plugin, limit.calls, limit.periodSeconds, wanted]
    for (;;) {
      const [row] = await sql.query<{ granted: number; retry_after: number }>(TAKE, params)
      if (row !== undefined) return { granted: row.granted, retryAfter: row.retry_after }
      await sql.query(CREATE, [plugin])
    }
  }

  function batchFor(plugin: string, limit: RateLimit) {
    const key = `${plugin} ${limit.calls} ${limit.periodSeconds}`
    const known = batches.get(key)
    if (known !== undefined) return known
    const batch = new PressureBatch<Order, { granted: number; retryAfterSeconds: number }>(
      async (orders) => {
        const wanted = orders.reduce((sum, order) => sum + order.wanted, 0)
        const answer = await takeOnce(plugin, limit, wanted)
        let left = answer.granted
        return orders.map((order) => {
          const granted = Math.min(left, order.wanted)
          left -= granted
          return { ok: true, value: { granted, retryAfterSeconds: granted === order.wanted ? 0 : answer.retryAfter } }
        })
      },
      { maxItems: 1000 },
    )
    batches.set(key, batch)
    return batch
  }

  return {
    take: (plugin, limit, wanted) => batchFor(plugin, limit).add({ wanted }),
    async giveBack(plugin, limit, unused) {
      if (unused > 0) await sql.query(GIVE_BACK, [plugin, (unused * limit.periodSeconds) / limit.calls])
    },
  }
}
