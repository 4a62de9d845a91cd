import { describe } from 'node:test'
import { queueContract } from '../testing/contract.ts'
import { NEEDS_REDIS, startRedisServer } from './testing/redis-server.ts'
import { bullmqStore } from './testing/store.ts'

describe('bullmq on Redis', NEEDS_REDIS, () => {
  queueContract('bullmq', async () => {
    const server = await startRedisServer()
    return bullmqStore({ url: server.url }, server)
  })
})
