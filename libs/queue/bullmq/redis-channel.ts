import type { WakeChannel } from '../wake.ts'
import type { RedisClient } from '../../redis/client.ts'

export interface RedisChannel extends WakeChannel {
  start(): Promise<void>
}

/** Notifications over Redis pub/sub, so that Postgres is spared a commit for each. `subscriber` does nothing else. */
export function createRedisChannel(publisher: RedisClient, subscriber: RedisClient, prefix: string): RedisChannel {
  const listeners = new Map<string, Set<(payload: string) => void>>()
  const reconnects = new Set<() => void>()
  const nameOf = (channel: string) => `${prefix}:${channel}`
  let subscribed = false

  subscriber.on('message', (name: string, payload: string) => {
    for (const [channel, set] of listeners) if (nameOf(channel) === name) for (const listener of set) listener(payload)
  })
  // The client subscribes again by itself after it was lost.
  subscriber.on('ready', () => {
    if (subscribed) for (const listener of reconnects) listener()
  })

  return {
    async start() {
      const names = [...listeners.keys()].map(nameOf)
      if (names.length > 0) await subscriber.subscribe(...names)
      subscribed = true
    },
    async notify(channel, payload) {
      await publisher.publish(nameOf(channel), payload)
    },
    listen(channel, listener) {
      const set = listeners.get(channel) ?? new Set()
      listeners.set(channel, set.add(listener))
      return () => void set.delete(listener)
    },
    onReconnect(listener) {
      reconnects.add(listener)
      return () => void reconnects.delete(listener)
    },
  }
}
