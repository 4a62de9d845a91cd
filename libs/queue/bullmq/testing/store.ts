import { createDatabase } from '../../../postgres/database.ts'
import { testDatabase, testLogger } from '../../../postgres/testing/index.ts'
import type { QueueStore } from '../../testing/contract.ts'
import { createBullmqQueue } from '../queue.ts'
import { REDIS_DEFAULTS } from '../../../redis/settings.ts'
import type { RedisSettings } from '../../../redis/settings.ts'

const LOCK_SECONDS = 3

/** Hears nothing and tells nobody. */
const deafChannel = { notify: async () => {}, listen: () => () => {}, onReconnect: () => () => {} }

/** A place for the queue contract, on a Redis that is started already. */
export async function bullmqStore(
  redis: Partial<RedisSettings> & Pick<RedisSettings, 'url'>,
  servers?: AsyncDisposable,
): Promise<QueueStore> {
  await using stack = new AsyncDisposableStack()
  if (servers !== undefined) stack.use(servers)
  const { url } = stack.use(await testDatabase())
  const database = createDatabase({ url, applicationName: 'contract', max: 8 })
  stack.defer(() => database.close())
  const owned = stack.move()
  return {
    database,
    // the lock, two rounds of the check, and what a busy machine adds
    lostAfterSeconds: LOCK_SECONDS + 12,
    async start({ deaf = false }) {
      await using opening = new AsyncDisposableStack()
      const queue = createBullmqQueue({
        redis: { ...REDIS_DEFAULTS, ...redis },
        database,
        logger: testLogger,
        lockSeconds: LOCK_SECONDS,
        stalledCheckSeconds: 0.5,
        pollMs: 50,
        ...(deaf ? { channel: deafChannel } : {}),
      })
      opening.defer(() => queue.stop())
      await queue.start()
      const opened = opening.move()
      return { queue, [Symbol.asyncDispose]: () => opened.disposeAsync() }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
