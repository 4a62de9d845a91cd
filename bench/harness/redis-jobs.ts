import { Redis } from 'ioredis'

/** How many jobs BullMQ's queue with these keys still has: waiting, delayed or held. */
export async function jobsLeft(redisUrl: string, keys: string): Promise<number> {
  const client = new Redis(redisUrl)
  try {
    const counts = await Promise.all([
      client.llen(`${keys}:wait`),
      client.llen(`${keys}:active`),
      client.zcard(`${keys}:prioritized`),
      client.zcard(`${keys}:delayed`),
    ])
    return counts.reduce((sum, count) => sum + count, 0)
  } finally {
    client.disconnect()
  }
}

export interface RedisCounters {
  /** All that Redis executed, those of scripts included. */
  readonly commands: number
  /** Scripts: BullMQ does everything to a job by one. */
  readonly scripts: number
  readonly usedBytes: number
}

export async function redisCounters(redisUrl: string): Promise<RedisCounters> {
  const client = new Redis(redisUrl)
  try {
    const info = await client.info('everything')
    const field = (pattern: RegExp) => Number(pattern.exec(info)?.[1] ?? 0)
    return {
      commands: field(/^total_commands_processed:(\d+)/m),
      scripts: field(/^cmdstat_evalsha:calls=(\d+)/m),
      usedBytes: field(/^used_memory:(\d+)/m),
    }
  } finally {
    client.disconnect()
  }
}
