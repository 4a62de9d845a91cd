import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { correlationId, jobId, pluginName, randomIds } from '../../event-log/index.ts'
import { LOG_START, readLog, readStream } from '../../event-log/read-log.ts'
import { rebuild } from '../../event-log/rebuild.ts'
import { createDatabase } from '../../postgres/database.ts'
import { testDatabase } from '../../postgres/testing/index.ts'
import { createMetrics } from '../../telemetry/index.ts'
import { createDenialLog } from './denial-log.ts'

test('denials are counted, logged and kept, and a loop of them floods nothing', async () => {
  await using server = await testDatabase()
  const database = createDatabase({ url: server.url, applicationName: 'denials', max: 2 })
  await using _closing = { [Symbol.asyncDispose]: () => database.close() }
  const metrics = createMetrics()
  const lines: string[] = []
  let now = 1_000_000
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(line) })
  const denials = createDenialLog({ database, metrics, logger, ids: randomIds, now: () => now })
  const plugin = pluginName('shop')
  const job = { id: jobId(randomIds.uuid()), correlationId: correlationId(randomIds.uuid()) }

  denials.record({ plugin, resource: 'db.other', verb: 'read', job })
  await denials.drained()
  const [kept] = await readStream(database, job.id)
  assert.deepEqual(kept?.event, {
    type: 'permission.denied',
    resource: 'db.other',
    verb: 'read',
    job: job.id,
    correlation_id: job.correlationId,
  })

  for (let n = 0; n < 5_000; n += 1) denials.record({ plugin, resource: `net:${'\u0000'.repeat(n)}`, verb: 'write', job: null })
  denials.record({ plugin: pluginName('other'), resource: 'strange', verb: 'read', job: null })
  await denials.drained()
  now += 60_000
  denials.record({ plugin, resource: 'db.other', verb: 'read', job: null })
  await denials.drained()

  const rows = await readLog(database, LOG_START, 1_000, true)
  assert.equal(rows.length, 22)
  assert.equal(lines.length, 22)
  const last = rows.at(-1)?.event
  assert.ok(last?.type === 'permission.denied')
  assert.equal(last.suppressed, 4_981)
  const text = await metrics.text()
  assert.match(text, /permission_denied_total\{plugin="shop",resource_kind="net"\} 5000/)
  assert.match(text, /permission_denied_total\{plugin="shop",resource_kind="db"\} 2/)
  assert.match(text, /permission_denied_total\{plugin="other",resource_kind="other"\} 1/)
  const report = await rebuild(database, { cutoff: new Date(0), apply: false })
  assert.deepEqual([report.orphans, report.missing, report.different], [0, 0, 0], 'a denial is no part of a job’s state')
})
