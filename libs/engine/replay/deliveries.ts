import { jobId } from '../../event-log/index.ts'
import type { Ids, ReplayId } from '../../event-log/index.ts'
import { addLeftOut } from './batch.ts'
import type { Batch } from './batch.ts'
import { receiverOf } from './classify.ts'
import type { LoggedEmit } from './logged-events.ts'
import type { DeliveryChoice } from './receivers.ts'

export interface DeliveryOptions {
  readonly ids: Ids
  readonly replayId: ReplayId
  /** The priority at most; undefined: each subscription's own. */
  readonly lane: number | undefined
}

/** Adds one event's deliveries to the batch: one that was delivered before is repeated, a new receiver gets its first. */
export function addDeliveries(batch: Batch, event: LoggedEmit, choice: DeliveryChoice, options: DeliveryOptions): void {
  for (const { plugin, subscription, reason } of choice.leftOut) addLeftOut(batch, event.id, receiverOf(plugin, subscription), reason)
  for (const { subscription, last } of choice.deliver) {
    const { plugin, id: name, maxAttempts: max_attempts, pluginVersion: plugin_version } = subscription
    const id = jobId(options.ids.uuid())
    const priority = Math.min(subscription.priority, options.lane ?? subscription.priority)
    if (last !== null) batch.repeats.push({ id, source: last, priority, max_attempts, plugin_version })
    else {
      batch.deliveries.push({
        id,
        plugin,
        data: {
          kind: 'event',
          name: event.name,
          payload: event.data,
          priority,
          max_attempts,
          correlation_id: event.correlationId,
          causation_id: event.id,
          replay_id: options.replayId,
          plugin_version,
          source: 'replay',
          meta: { event: { id: event.id, source: event.source, time: event.time, subscription: name } },
        },
      })
    }
    batch.entries.push({ jobId: id, plugin, priority, runAt: null })
    batch.kinds.push({ plugin, kind: 'event' })
    batch.items.push({ item: event.id, receiver: receiverOf(plugin, name), job_id: id, left_out: null })
  }
}
