import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Client } from 'pg'
import { sqlState } from '../postgres/connection.ts'
import { createDatabase } from '../postgres/database.ts'
import type { PooledDatabase } from '../postgres/database.ts'
import { testDatabase } from '../postgres/testing/index.ts'
import type { TestDatabase } from '../postgres/testing/index.ts'
import { correlationId, jobId, pluginName, randomIds } from './ids.ts'
import { evolve } from './job-state.ts'
import type { StoredJob } from './job-state.ts'
import { findJobs } from './jobs-table.ts'
import { LOG_START, checkpointOf, horizonLagSeconds, isJobStream, readLog, readStream } from './read-log.ts'
import { recordCancels, recordOutcomes } from './record-outcomes.ts'
import type { OutcomeRow } from './record-outcomes.ts'
import { recordRequests } from './record-requests.ts'
import type { RequestRow } from './record-requests.ts'

let home: TestDatabase
let db: PooledDatabase
before(async () => {
  home = await testDatabase()
  db = createDatabase({ url: home.url, applicationName: 'event log test', max: 4 })
})
after(async () => {
  await db.close()
  await home.drop()
})

const PLUGIN = pluginName('shop')
const NOW = '2026-03-01T10:00:00.000Z'
const run = { worker: 'w/1', started_at: NOW, finished_at: '2026-03-01T10:00:01.000Z', plugin_version: '1.2.0' }
const error = { code: 'handler_error', message: 'no', stack: 'at secret.ts' }

function request(extra: Partial<RequestRow['data']> = {}): RequestRow {
  const id = jobId(randomIds.uuid())
  const data = {
    kind: 'action',
    name: 'order',
    payload: { n: 1 },
    priority: 50,
    max_attempts: 3,
    correlation_id: correlationId(id),
    plugin_version: '1.0.0',
    source: 'http',
  } as const
  return { id, plugin: PLUGIN, data: { ...data, ...extra } }
}
async function requested(extra: Partial<RequestRow['data']> = {}): Promise<RequestRow> {
  const row = request(extra)
  await db.transaction((tx) => recordRequests(tx, [row]))
  return row
}
const base = ({ id }: RequestRow, attempt: number) => ({ id, plugin: PLUGIN, attempt })
const succeeded = (row: RequestRow, attempt: number): OutcomeRow => ({
  ...base(row, attempt),
  state: 'succeeded',
  type: 'job.succeeded',
  data: { ...run, attempt, result: { status: 'ok' } },
})
const retried = (row: RequestRow, attempt: number): OutcomeRow => ({
  ...base(row, attempt),
  state: 'retrying',
  type: 'job.attempt_failed',
  data: { ...run, attempt, error, retry_at: NOW },
})
const lost = (row: RequestRow, attempt: number): OutcomeRow => ({
  ...base(row, attempt),
  state: 'retrying',
  type: 'job.attempt_lost',
  data: { attempt, worker: 'w/2', found_at: NOW, error },
})
const failed = (row: RequestRow, attempt: number): OutcomeRow => ({
  ...base(row, attempt),
  state: 'failed',
  type: 'job.failed',
  data: { ...run, attempt, error },
})
const dead = (row: RequestRow, attempt: number): OutcomeRow => ({
  ...base(row, attempt),
  state: 'dead',
  type: 'job.attempt_failed',
  data: { ...run, attempt, error },
  dead: { attempt, finished_at: NOW, error },
})
const record = (rows: readonly OutcomeRow[]) => db.transaction((tx) => recordOutcomes(tx, rows))

describe('recording', () => {
  test('the jobs row is what the fold of the log arrives at', async () => {
    const first = jobId(randomIds.uuid())
    const rows = [
      await requested(),
      await requested({
        run_at: '2026-04-01T00:00:00.123Z',
        meta: { depth: 2, awaited: true },
        idempotency_key: 'k',
        causation_id: randomIds.uuid(),
      }),
      await requested({ payload: 'just text', replay_of: first, root: first, replay_id: randomIds.uuid(), max_attempts: 2 }),
      await requested({ payload: null }),
      await requested(),
      await requested(),
    ] as const
    await record([retried(rows[1], 1), succeeded(rows[3], 1), lost(rows[4], 1), retried(rows[2], 1)])
    await record([succeeded(rows[1], 2), dead(rows[2], 2), failed(rows[4], 2)])
    await db.transaction((tx) => recordCancels(tx, [{ id: rows[5].id, data: { finished_at: NOW, reason: 'no' } }]))
    for (const job of await findJobs(
      db,
      rows.map(({ id }) => id),
    )) {
      const history = (await readStream(db, job.id)).filter(isJobStream)
      const folded = history.reduce<StoredJob | undefined>(
        (sofar, { stream, plugin, recordedAt, event }) => evolve(sofar, { stream, plugin: plugin ?? PLUGIN, recordedAt, event }),
        undefined,
      )
      assert.deepEqual(job, folded)
    }
    const found = await findJobs(
      db,
      rows.map(({ id }) => id),
    )
    const states = rows.map(({ id }) => found.find((job) => job.id === id)?.state)
    assert.deepEqual(states, ['queued', 'succeeded', 'dead', 'succeeded', 'failed', 'cancelled'])
  })

  test('the fence: an attempt is recorded once, in order, and never after the end', async () => {
    const row = await requested()
    assert.deepEqual(await record([succeeded(row, 2)]), new Set())
    assert.deepEqual(await record([lost(row, 1)]), new Set([row.id]))
    assert.deepEqual(await record([succeeded(row, 1)]), new Set(), 'the lost attempt came back')
    const other = await requested()
    assert.deepEqual(await record([succeeded(row, 2), succeeded(row, 1), succeeded(other, 1)]), new Set([row.id, other.id]))
    assert.deepEqual(await record([failed(row, 3), dead(row, 3)]), new Set())
    assert.deepEqual(await db.transaction((tx) => recordCancels(tx, [{ id: row.id, data: { finished_at: NOW } }])), [])
    assert.deepEqual(
      (await readStream(db, row.id)).map(({ event }) => event.type),
      ['job.requested', 'job.attempt_lost', 'job.succeeded'],
    )
  })

  test('racing outcomes of one attempt: one is recorded', async () => {
    const row = await requested()
    const passed = await Promise.all([
      record([succeeded(row, 1)]),
      record([failed(row, 1)]),
      record([retried(row, 1)]),
      record([lost(row, 1)]),
    ])
    assert.equal(passed.filter((ids) => ids.has(row.id)).length, 1)
    assert.equal((await readStream(db, row.id)).length, 2)
  })
})

describe('what the database refuses', () => {
  const refused = (sql: string, state: string) =>
    assert.rejects(db.run(sql), (thrown) => (assert.equal(sqlState(thrown), state, String(thrown)), true), sql)

  test('the log cannot be changed', async () => {
    await requested()
    const [part] = await db.run<{ name: string }>(
      `select format('%I.%I', 'xcore', relname) as name from pg_class where relname = 'event_log_' || to_char(now() at time zone 'UTC', 'YYYYMMDD')`,
    )
    assert.ok(part !== undefined)
    for (const table of ['xcore.event_log', part.name]) {
      await refused(`update ${table} set plugin = 'other'`, '42501')
      await refused(`delete from ${table}`, '42501')
      await refused(`truncate ${table}`, '42501')
    }
  })

  test('rows that no legal job can have', async () => {
    const { id } = await requested()
    const change = (set: string) => refused(`update xcore.jobs set ${set} where id = '${id}'`, '23514')
    await change(`state = 'succeeded'`)
    await change(`state = 'active'`)
    await change(`finished_at = now()`)
    await change(`result = '{}'`)
    await change(`state = 'succeeded', finished_at = now()`)
    await change(`state = 'dead', finished_at = now()`)
    await change(`error = '{"code":"x"}'`)
    await change(`error_code = 'x'`)
    await change(`attempt = 4`)
    await change(`attempt = -1`)
    await change(`priority = 101`)
    await change(`kind = 'other'`)
    await refused(`insert into xcore.event_log (stream, type, data) values ('${id}', 'job.invented', '{}')`, '23514')
    await refused(`insert into xcore.event_log (stream, type, data, recorded_at) values ('${id}', 'job.dead', '{}', '2001-01-01')`, '23514')
  })
})

test('daily partitions: made once, by however many ask at once, and they take the rows of their day', async () => {
  const ask = () => db.run<{ made: number }>(`select xcore.ensure_log_partitions('2027-02-27', '2027-03-02') as made`)
  const made = (await Promise.all([ask(), ask(), ask()])).map(([row]) => row?.made)
  assert.deepEqual(made.sort(), [0, 0, 4])
  const id = randomIds.uuid()
  for (const time of ['2027-02-28T23:59:59.999999Z', '2027-03-01T00:00:00Z']) {
    await db.run(`insert into xcore.event_log (stream, type, data, recorded_at) values ($1, 'job.dead', '{}', $2)`, [id, time])
  }
  const parts = await db.run<{ part: string }>(
    `select tableoid::regclass::text as part from xcore.event_log where stream = $1 order by recorded_at`,
    [id],
  )
  assert.deepEqual(
    parts.map(({ part }) => part),
    ['event_log_20270228', 'event_log_20270301'],
  )
  await assert.rejects(db.run('truncate xcore.event_log_20270301'), /append-only/)
})

describe('reading in order', () => {
  async function open(): Promise<Client> {
    const client = new Client({ connectionString: home.url })
    await client.connect()
    await client.query('begin')
    return client
  }
  const append = async (client: Client) => {
    const id = randomIds.uuid()
    await client.query(`insert into xcore.event_log (stream, type, data) values ($1, 'job.dead', '{}')`, [id])
    return id
  }
  /** Behind everything that is committed, whatever the horizon is. */
  async function end() {
    const last = (await readLog(db, LOG_START, 100_000, true)).at(-1)
    return last === undefined ? LOG_START : checkpointOf(last)
  }
  async function readOn(from: Parameters<typeof readLog>[1]) {
    const page = await readLog(db, from, 1000)
    const last = page.at(-1)
    return { streams: page.map((row): string => row.stream), next: last === undefined ? from : checkpointOf(last) }
  }

  test('a late committer with lower positions is not lost, nor one with a lower transaction id', async () => {
    const start = await end()
    const [slow, quick] = [await open(), await open()]
    try {
      const first = await append(slow)
      const second = await append(quick)
      // the slow transaction is older, but its second row has the highest position
      const third = await append(slow)
      await quick.query('commit')
      const early = await readOn(start)
      assert.deepEqual(early.streams, [], 'rows beyond an open transaction wait')
      assert.ok((await horizonLagSeconds(db)) > 0)
      await slow.query('commit')
      const late: string[] = []
      let next = early.next
      // The horizon is the whole server's: another test's open transaction may hold it back for a while.
      while (late.length < 3) {
        const page = await readOn(next)
        late.push(...page.streams)
        next = page.next
      }
      assert.deepEqual(late, [first, third, second])
      assert.deepEqual((await readOn(next)).streams, [])
    } finally {
      await slow.end()
      await quick.end()
    }
  })

  test('a reader that pages while writers race sees every row once', async () => {
    let at = await end()
    const seen: string[] = []
    const readSome = async () => {
      const page = await readLog(db, at, 7)
      seen.push(...page.map((row) => row.stream))
      const last = page.at(-1)
      if (last !== undefined) at = checkpointOf(last)
      return page.length
    }
    let writing = true
    const writers = Array.from({ length: 3 }, async () => {
      const mine: string[] = []
      for (let n = 0; n < 25; n++) {
        const rows = Array.from({ length: (n % 3) + 1 }, () => request())
        await db.transaction((tx) => recordRequests(tx, rows))
        mine.push(...rows.map(({ id }) => id))
      }
      return mine
    })
    const written = Promise.all(writers).finally(() => (writing = false))
    while (writing) await readSome()
    const all = (await written).flat()
    while (seen.length < all.length) await readSome()
    assert.equal(await readSome(), 0)
    assert.deepEqual(seen.toSorted(), all.toSorted())
  })
})
