import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { PgBoss } from 'pg-boss'
import { jobId, pluginName } from '../../event-log/ids.ts'
import { createDatabase } from '../../postgres/database.ts'
import { createNotifications } from '../../postgres/listen-notify.ts'
import { testDatabase, testLogger } from '../../postgres/testing/index.ts'
import { createPgBossQueue } from './queue.ts'

test('a row that we put into pg-boss is the row that pg-boss would put there', async () => {
  await using stack = new AsyncDisposableStack()
  const { url } = stack.use(await testDatabase())
  const database = createDatabase({ url, applicationName: 'test' })
  stack.defer(() => database.close())
  const notifications = createNotifications({ url, logger: testLogger })
  stack.defer(() => notifications.stop())
  await notifications.start()
  const queue = createPgBossQueue({ url, database, claims: database, notifications, logger: testLogger })
  stack.defer(() => queue.stop())
  await queue.start()
  const plugin = pluginName('shop')
  await queue.declare([plugin])
  const boss = new PgBoss({ connectionString: url, supervise: false, schedule: false })
  stack.defer(() => boss.stop({ graceful: false }))
  await boss.start()

  const runAt = new Date(Date.now() + 60_000)
  for (const at of [null, runAt]) {
    const [ours, theirs] = [randomUUID(), randomUUID()]
    await database.transaction(async (tx) => {
      await queue.enqueue(tx, [{ jobId: jobId(ours), plugin, priority: 7, runAt: at }])
      // in the same transaction now() is the same, so that the times are equal as well
      const db = { executeSql: async (text: string, values: unknown[] = []) => ({ rows: await tx.run(text, values) }) }
      await boss.insert(plugin, [{ id: theirs, priority: 7, ...(at === null ? {} : { startAfter: at }) }], { db })
    })
    const row = async (id: string) => (await database.run('select to_jsonb(j) - $1 as row from pgboss.job j where id = $2', ['id', id]))[0]
    assert.deepEqual(await row(ours), await row(theirs))
    assert.ok((await row(ours)) !== undefined)
  }
})
