import { createClient } from '../../redis/client.ts'
import type { RedisClient } from '../../redis/client.ts'
import type { RedisSettings } from '../../redis/settings.ts'

/**
 * A connection on which nothing came back for so long counts as lost: a cut cable is not told. What was asked has failed, although it may
 * have run: everything here may run twice.
 */
const SILENCE_MS = 5_000
const CONNECT_TIMEOUT_MS = 5_000
const LONGEST_PAUSE_MS = 2_000

/** While the connection is away commands fail at once instead of piling up in memory: who waits for Redis decides by itself how long. */
export function queueClient(settings: RedisSettings, role: 'commands' | 'subscriber'): RedisClient {
  return createClient(settings, {
    name: `xcore-${role}`,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    silenceMs: SILENCE_MS,
    resends: 0,
    queued: false,
    // A batch of jobs costs one round trip.
    pipelined: role === 'commands',
    pause: (tries) => Math.min(50 * 2 ** Math.min(tries, 10), LONGEST_PAUSE_MS) * (1 + Math.random() / 4),
  })
}
