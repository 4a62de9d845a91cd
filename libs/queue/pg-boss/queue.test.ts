import { createDatabase } from '../../postgres/database.ts'
import { createNotifications } from '../../postgres/listen-notify.ts'
import type { Notifications } from '../../postgres/notifications.ts'
import { testDatabase, testLogger } from '../../postgres/testing/index.ts'
import { queueContract } from '../testing/contract.ts'
import type { QueueStore } from '../testing/contract.ts'
import { createPgBossQueue } from './queue.ts'

const HEARTBEAT_SECONDS = 10

/** Hears nothing and tells nobody. */
const deafNotifications: Notifications = {
  start: async () => {},
  stop: async () => {},
  notify: async () => {},
  listen: () => () => {},
  onReconnect: () => () => {},
}

async function pgBossStore(): Promise<QueueStore> {
  await using stack = new AsyncDisposableStack()
  const { url } = stack.use(await testDatabase())
  const database = createDatabase({ url, applicationName: 'contract', max: 8 })
  stack.defer(() => database.close())
  const claims = createDatabase({ url, applicationName: 'contract claims', max: 8, synchronousCommit: 'off' })
  stack.defer(() => claims.close())
  const owned = stack.move()
  return {
    database,
    // the heartbeat's limit, a round of supervision, and what a busy machine adds
    lostAfterSeconds: HEARTBEAT_SECONDS + 15,
    async start({ deaf = false }) {
      await using opening = new AsyncDisposableStack()
      const notifications = deaf ? deafNotifications : createNotifications({ url, logger: testLogger })
      opening.defer(() => notifications.stop())
      await notifications.start()
      const settings = { heartbeatSeconds: HEARTBEAT_SECONDS, superviseSeconds: 1, pollMs: 50 }
      const queue = createPgBossQueue({ url, database, claims, notifications, logger: testLogger, ...settings })
      opening.defer(() => queue.stop())
      await queue.start()
      const opened = opening.move()
      return { queue, [Symbol.asyncDispose]: () => opened.disposeAsync() }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

queueContract('pg-boss', pgBossStore)
