import { bullmq, bullmqBare, bullmqPrioritized } from '../peers/bullmq.ts'
import { graphileWorker } from '../peers/graphile-worker.ts'
import { koaBullmq, koaNoop } from '../peers/koa.ts'
import { pgBoss } from '../peers/pg-boss.ts'
import { xcore, xcoreApi, xcoreApiOnRedis, xcoreOnRedis, xcoreStandalone } from '../xcore/contender.ts'
import type { Contender, HttpContender } from './contender.ts'

export { xcore }

/** Ours first. */
export const contenders: readonly Contender[] = [xcore, pgBoss, bullmq, graphileWorker]

export const httpContenders: readonly HttpContender[] = [xcoreApi, koaNoop, koaBullmq]

/** Those of scale-out.ts. */
export const redisContenders: readonly Contender[] = [xcoreOnRedis, bullmqBare, bullmqPrioritized, bullmq]
export const redisHttpContenders: readonly HttpContender[] = [xcoreApiOnRedis, koaBullmq]

/** All that a role process can play. */
export const allContenders: readonly Contender[] = [...new Set([...contenders, ...redisContenders])]

/** All that the role `http` can serve. */
export const httpServers: readonly HttpContender[] = [...httpContenders, xcoreApiOnRedis, xcoreStandalone]
