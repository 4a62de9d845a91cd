import { randomIds } from '../../../event-log/index.ts'
import { createDatabase } from '../../../postgres/database.ts'
import type { PooledDatabase } from '../../../postgres/database.ts'
import { createNotifications } from '../../../postgres/listen-notify.ts'
import { testLogger } from '../../../postgres/testing/index.ts'
import { createPgBossQueue } from '../../../queue/pg-boss/queue.ts'
import { createMetrics } from '../../../telemetry/metrics.ts'
import type { Metrics } from '../../../telemetry/metrics.ts'
import { createScheduleRegistry } from '../index.ts'
import type { ScheduleRegistry, SchedulerOptions } from '../index.ts'

export interface OpenScheduler extends AsyncDisposable {
  readonly database: PooledDatabase
  readonly registry: ScheduleRegistry
  readonly metrics: Metrics
  readonly options: SchedulerOptions
}

/** Registry and firing on a real database and queue; `now` defaults to the system's. Closed in reverse with `await using`. */
export async function openScheduler(url: string, now: () => number = Date.now): Promise<OpenScheduler> {
  await using stack = new AsyncDisposableStack()
  const database = createDatabase({ url, applicationName: 'xcore-test', max: 8 })
  stack.defer(() => database.close())
  const notifications = createNotifications({ url, logger: testLogger })
  stack.defer(() => notifications.stop())
  await notifications.start()
  const queue = createPgBossQueue({ url, database, claims: database, notifications, logger: testLogger })
  stack.defer(() => queue.stop())
  await queue.start()
  const clock = { now }
  const random = () => 0.5
  const registry = createScheduleRegistry({ database, notifications, logger: testLogger, clock, random })
  const logger = testLogger.child({}, { level: 'silent' })
  const metrics = createMetrics()
  const options = { database, queue, notifications, metrics, logger, clock, ids: randomIds, random }
  const owned = stack.move()
  return { database, registry, metrics, options, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
