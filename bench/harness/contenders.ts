import { bullmq } from '../peers/bullmq.ts'
import { graphileWorker } from '../peers/graphile-worker.ts'
import { koaBullmq, koaNoop } from '../peers/koa.ts'
import { pgBoss } from '../peers/pg-boss.ts'
import { xcore, xcoreApi, xcoreStandalone } from '../xcore/contender.ts'
import type { Contender, HttpContender } from './contender.ts'

export { xcore }

/** Ours first. */
export const contenders: readonly Contender[] = [xcore, pgBoss, bullmq, graphileWorker]

export const httpContenders: readonly HttpContender[] = [xcoreApi, koaNoop, koaBullmq]

/** All that the role `http` can serve. */
export const httpServers: readonly HttpContender[] = [...httpContenders, xcoreStandalone]
