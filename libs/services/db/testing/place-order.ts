import { stageOf } from '../../../engine/index.ts'
import type { TransactionHandle } from '../../../engine/index.ts'
import { pluginName } from '../../../event-log/index.ts'

/** A row of the plugin's own, an event and a job, all in one transaction. `slow`: its commit takes a second. */
export async function placeOrder(tx: TransactionHandle, n: string, slow = false): Promise<void> {
  await tx.query('insert into orders (n, slow) values ($1, $2)', [n, slow])
  const stage = stageOf(tx)
  const caller = pluginName('shop')
  await stage?.emit({ name: 'order.placed', data: { n }, source: 'xcore://plugins/shop', caller })
  await stage?.submit({ plugin: 'stock', action: 'take', payload: { n }, source: 'plugin', caller })
}

/** What `placeOrder` writes to. */
export const ORDERS = [
  'create table orders (n text, slow boolean)',
  `create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(1); return null; end $$`,
  `create constraint trigger slow after insert on orders deferrable initially deferred for each row when (new.slow) execute function dawdle()`,
]
