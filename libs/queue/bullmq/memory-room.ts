import { Cluster } from 'ioredis'
import type { RedisClient } from '../../redis/client.ts'

/** Left free for claims, connections and scripts: a twentieth of `maxmemory`, at most 64 MB. */
const SHARE = 0.05
const MOST_BYTES = 64 * 1024 * 1024

/** Whether Redis may take more jobs. One that is filled to the brim can hand out none of them. */
export async function hasRoom(client: RedisClient): Promise<boolean> {
  const nodes = client instanceof Cluster ? client.nodes('master') : [client]
  const infos = await Promise.all(nodes.map((node) => node.info('memory')))
  return infos.every((info) => {
    const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
    const limit = field('maxmemory')
    return limit === 0 || field('used_memory') < limit - Math.min(limit * SHARE, MOST_BYTES)
  })
}
