import type { HandlerResult } from '../../../../engine/plugin-port.ts'
import { messageOf } from '../../../../errors/index.ts'
import type { Job } from '../../../../event-log/index.ts'
import type { PluginSource } from '../../../runner.ts'
import { running } from '../../trusted/running.ts'

/** Of a delivery that the manifest denies, although the pattern of the subscription was allowed: how its job ends. */
export function deniedEvent({ permissions, logger }: PluginSource, job: Job): HandlerResult | undefined {
  if (job.kind !== 'event') return undefined
  try {
    const current = { plugin: job.plugin, job, traceparent: undefined, deadline: null, signal: null, logger, permissions }
    running.run(current, () => permissions.check(`events:${job.name}`, 'subscribe'))
    return undefined
  } catch (thrown) {
    return { kind: 'error', retryable: false, error: { code: 'permission_denied', message: messageOf(thrown) } }
  }
}
