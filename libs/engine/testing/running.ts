import { createDatabase } from '../../postgres/database.ts'
import type { PooledDatabase } from '../../postgres/database.ts'
import { createNotifications } from '../../postgres/listen-notify.ts'
import { testDatabase, testLogger } from '../../postgres/testing/index.ts'
import { createPgBossQueue } from '../../queue/pg-boss/queue.ts'
import type { Queue } from '../../queue/index.ts'
import { createMetrics } from '../../telemetry/metrics.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import { EVERYTHING } from '../consumers.ts'
import type { Consumers, WorkerGroup } from '../consumers.ts'
import { createEngine } from '../engine.ts'
import type { EngineOptions, RunningEngine } from '../engine.ts'
import type { PluginDirectory } from '../plugin-port.ts'

export interface TestEngine extends AsyncDisposable {
  readonly engine: RunningEngine
  readonly consumers: Consumers
  readonly database: PooledDatabase
  readonly queue: Queue
  readonly metrics: Metrics
  readonly url: string
}

export interface TestEngineOptions extends Partial<Pick<EngineOptions, 'worker' | 'clock' | 'random' | 'changes'>> {
  /** An existing database, to run a second process's worth of engine on it. Default: a fresh one. */
  readonly url?: string
  /** Default true. False: the test starts the consumers itself, or never. */
  readonly consume?: boolean
  readonly heartbeatSeconds?: number
  readonly unloadSeconds?: number
  /** Default: every plugin, as many jobs as they allow. */
  readonly groups?: readonly WorkerGroup[]
}

/** A whole engine on a real database and queue. Everything is closed in reverse order when it goes out of scope. */
export async function testEngine(plugins: PluginDirectory, options: TestEngineOptions = {}): Promise<TestEngine> {
  await using stack = new AsyncDisposableStack()
  const url = options.url ?? stack.use(await testDatabase()).url
  const open = (synchronousCommit: 'on' | 'off') => {
    const database = createDatabase({ url, applicationName: 'xcore-test', max: 8, byKey: true, synchronousCommit })
    stack.defer(() => database.close())
    return database
  }
  const database = open('on')
  const claims = open('off')
  const notifications = createNotifications({ url, logger: testLogger })
  stack.defer(() => notifications.stop())
  await notifications.start()
  const queue = createPgBossQueue({
    url,
    database,
    claims,
    notifications,
    logger: testLogger,
    pollMs: 50,
    superviseSeconds: 1,
    heartbeatSeconds: 10,
  })
  stack.defer(() => queue.stop())
  await queue.start()
  await queue.declare(plugins.runnable().map((plugin) => plugin.name))
  const metrics = createMetrics()
  const engine = createEngine({ database, queue, notifications, plugins, metrics, logger: testLogger, worker: 'test/1', ...options })
  stack.defer(() => engine.close())
  const consumers = engine.consumers({
    groups: options.groups ?? [EVERYTHING],
    ...(options.heartbeatSeconds === undefined ? {} : { heartbeatSeconds: options.heartbeatSeconds }),
    ...(options.unloadSeconds === undefined ? {} : { unloadSeconds: options.unloadSeconds }),
  })
  // also when the test starts them later
  stack.defer(() => consumers.stop(2_000))
  if (options.consume !== false) await consumers.start()
  const owned = stack.move()
  return { engine, consumers, database, queue, metrics, url, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
