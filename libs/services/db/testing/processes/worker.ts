/** Runs jobs of `shop` on the database in argv[2] and hangs at the step in argv[3], having told so on stdout. */
import { once } from 'node:events'
import { done, testPlugins } from '../../../../engine/testing/plugins.ts'
import type { JobTransaction } from '../../../../engine/index.ts'
import { AttemptTransaction } from '../../../../plugin-host/runners/trusted/job-transaction.ts'
import { owner, testDb } from '../db-platform.ts'
import type { TestDb } from '../db-platform.ts'
import { placeOrder } from '../place-order.ts'

export const STEPS = ['before fn', 'inside fn', 'before commit', 'in commit', 'after commit'] as const
export type Step = (typeof STEPS)[number]

const [, , url = '', step = ''] = process.argv

async function reached(here: Step): Promise<void> {
  if (here !== step) return
  console.log(JSON.stringify({ reached: here }))
  await new Promise(() => {})
}

/** Commits as the engine asks, with a stop before and after. */
function watched(inner: JobTransaction): JobTransaction {
  return {
    get staged() {
      return inner.staged
    },
    run: (fn) => inner.run(fn),
    async commit(statements) {
      await reached('before commit')
      const committed = inner.commit(statements)
      // A trigger of the plugin's keeps the commit busy for a while.
      if (step === 'in commit') await until(async () => (await t.database.run(BUSY)).length > 0).then(() => reached('in commit'))
      await committed
      await reached('after commit')
    },
    rollback: () => inner.rollback(),
    abort: () => inner.abort(),
  }
}

const BUSY = `select from pg_stat_activity where query = 'commit' and wait_event = 'PgSleep'`

const plugins = testPlugins({
  shop: {
    handlers: {
      async order(invocation) {
        await reached('before fn')
        const transaction = new AttemptTransaction(async () => watched(await t.db.begin(owner('shop'))), invocation.signal)
        await transaction.run(async (tx) => {
          await placeOrder(tx, `attempt ${invocation.job.attempt}`, step === 'in commit')
          await reached('inside fn')
        })
        return transaction.conclude(done())
      },
    },
  },
  stock: { handlers: { take: () => done() } },
})

const t: TestDb = await testDb(plugins, { url, heartbeatSeconds: 1 })
process.stdin.resume()
await once(process.stdin, 'end')
await t[Symbol.asyncDispose]()

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve))
}
