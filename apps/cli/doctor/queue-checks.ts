import type { Config } from '../../../libs/config/index.ts'
import { compileGlob } from '../../../libs/event-log/glob.ts'
import { messageOf } from '../../../libs/errors/index.ts'
import { checkAll } from '../plugin-check.ts'
import { fail, ok, warn } from './finding.ts'
import type { Finding } from './finding.ts'

/** The Redis of the BullMQ driver; nothing to look at with pg-boss. */
export async function checkQueue(config: Config): Promise<Finding[]> {
  const { url } = config.redis
  if (config.queue.driver !== 'bullmq') return [ok('queue', 'pg-boss, in the database')]
  if (url === null) return [fail('queue', 'bullmq without a Redis', 'Set REDIS_URL, or queue.driver to pg-boss.')]
  const { probeRedis } = await import('../../platform/compose.ts')
  try {
    return [ok('queue', `bullmq on ${await probeRedis({ ...config.redis, url })}`)]
  } catch (error) {
    return [fail('queue', messageOf(error), 'Jobs are accepted and wait in Postgres until it is in order.')]
  }
}

/** Plugins that no configured group takes: with workers started by group, nobody runs their jobs. */
export async function checkGroups(config: Config): Promise<Finding[]> {
  const groups = Object.entries(config.worker.groups)
  if (groups.length === 0) return []
  const matchers = groups.flatMap(([, group]) => group.plugins.map(compileGlob))
  const plugins = (await checkAll(config.plugins.dir)).map((check) => check.name)
  const unserved = plugins.filter((name) => !matchers.some((matches) => matches(name)))
  if (unserved.length === 0) return [ok('worker groups', groups.map(([name]) => name).join(', '))]
  return [
    warn(
      'worker groups',
      `no group of worker.groups takes ${unserved.join(', ')}`,
      'Add them to a group, or start a worker without --group.',
    ),
  ]
}
