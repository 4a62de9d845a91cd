import { XCoreError } from '../../../../errors/index.ts'
import type { Manifest } from '../../../../manifest/index.ts'
import { TokenBucket } from './buckets.ts'
import type { Operation } from './calls.ts'

/** They end what an admitted call began; refused, a transaction could not commit. */
const FREE: readonly string[] = ['tx.end', 'unsubscribe']
/** The runtime inside asks for it once at each load, whatever the plugin does. */
const FREE_IN_HOOKS: readonly string[] = ['schedules.replace']

/** The operations within `resources.service_rate_limit`, over all processes that the sandbox gets in this one. `now`: milliseconds. */
export function withinServiceRate(
  { name, resources }: Pick<Manifest, 'name' | 'resources'>,
  operations: Readonly<Record<string, Operation>>,
  now: () => number,
): Readonly<Record<string, Operation>> {
  const rate = resources.serviceRateLimit
  if (rate === null) return operations
  const bucket = new TokenBucket(rate.calls / rate.periodSeconds, rate.calls, now())
  const limited = ([op, operation]: readonly [string, Operation]): [string, Operation] => [
    op,
    {
      async run(args, work) {
        if ((work.kind === 'hook' && FREE_IN_HOOKS.includes(op)) || bucket.take(now())) return operation.run(args, work)
        throw new XCoreError(
          'rate_limit_exceeded',
          `${op}: plugin ${name} may ask its host for something ${rate.calls} times in ${rate.periodSeconds} s, found one more; ` +
            'ask for several things at once (mget, one statement for many rows), or raise `resources.service_rate_limit` in plugin.yaml',
          { retryAfterSeconds: Math.max(0.001, bucket.waitFor(1) / 1000) },
        )
      },
    },
  ]
  return Object.fromEntries(Object.entries(operations).map((each) => (FREE.includes(each[0]) ? [...each] : limited(each))))
}
