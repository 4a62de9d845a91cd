import { bullmq } from '../peers/bullmq.ts'
import { graphileWorker } from '../peers/graphile-worker.ts'
import { koaBullmq, koaNoop } from '../peers/koa.ts'
import { pgBoss } from '../peers/pg-boss.ts'
import type { Contender, HttpContender } from './contender.ts'

/** Ours first. */
export const contenders: readonly Contender[] = [pgBoss, bullmq, graphileWorker]

export const httpContenders: readonly HttpContender[] = [koaNoop, koaBullmq]
