import { pluginName } from '../../event-log/index.ts'
import type { Database } from '../../postgres/sql.ts'
import { createSubscribers } from '../subscriptions.ts'
import { PlanTally } from './plan.ts'
import { countEvents, eventsAfter, lastDeliveries } from './logged-events.ts'
import type { EventSelection, LoggedEmit } from './logged-events.ts'
import type { ReplayPlan } from './port.ts'
import { chooseReceivers } from './receivers.ts'

const MOST_CHECKED = 100_000
const PAGE = 1_000

/** A dry run of an event replay. `matched` counts events; all else counts deliveries, of which an event may have several. */
export async function planEvents(database: Database, selection: EventSelection): Promise<ReplayPlan> {
  const subscribers = createSubscribers()
  const tally = new PlanTally()
  let cursor: string | null = null
  while (tally.checked < MOST_CHECKED) {
    const page: LoggedEmit[] = await eventsAfter(database, selection, cursor, PAGE)
    cursor = page.at(-1)?.cursor ?? null
    if (cursor === null) break
    const deliveries = await lastDeliveries(database, page)
    for (const event of page) {
      const fitting = await subscribers.matching(database, event.name)
      const { deliver, leftOut } = chooseReceivers(fitting, deliveries.get(event.id) ?? new Map(), {
        to: selection.to,
        again: selection.to === 'all',
      })
      const about = (plugin: string) => ({
        id: event.id,
        kind: 'event' as const,
        plugin: pluginName(plugin),
        name: event.name,
        errorCode: null,
      })
      for (const { subscription } of deliver) tally.add(about(subscription.plugin), { kind: 'replay' })
      for (const { plugin, reason } of leftOut) tally.add(about(plugin), { kind: 'left out', reason, why: reason, issues: [] })
      if (deliver.length + leftOut.length === 0) {
        tally.add(about(selection.to === 'all' ? '' : selection.to.plugin), {
          kind: 'left out',
          reason: 'unhandled',
          why: 'no subscription fits the event',
          issues: [],
        })
      }
    }
  }
  return { ...tally.plan(0), matched: await countEvents(database, selection) }
}
