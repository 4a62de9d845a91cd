import { describe } from 'node:test'
import { queueContract } from '../testing/contract.ts'
import { startRedisCluster } from './testing/redis-cluster.ts'
import { NEEDS_REDIS } from './testing/redis-server.ts'
import { bullmqStore } from './testing/store.ts'

describe('bullmq on Redis Cluster', NEEDS_REDIS, () => {
  queueContract('bullmq, cluster of three masters', async () => {
    const cluster = await startRedisCluster()
    return bullmqStore({ url: cluster.url, topology: 'cluster', nodes: cluster.nodes }, cluster)
  })
})
