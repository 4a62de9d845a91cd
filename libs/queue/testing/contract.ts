import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { boundedCases } from './cases/bounded.ts'
import { claimCases } from './cases/claim.ts'
import { declareCases } from './cases/declare.ts'
import { enqueueCases } from './cases/enqueue.ts'
import { loadCases } from './cases/load.ts'
import { lostCases } from './cases/lost.ts'
import { readCases } from './cases/read.ts'
import { settleCases } from './cases/settle.ts'
import { wakeCases } from './cases/wake.ts'
import type { ContractCase, QueueHarness, QueueStore } from './harness.ts'

export type { OpenSettings, QueueStore, StartedQueue } from './harness.ts'

/** A case that a driver does not pass, and why that is right. */
export interface Skip {
  readonly name: string
  readonly reason: string
}

const CASES: readonly ContractCase[] = [
  ...declareCases,
  ...enqueueCases,
  ...claimCases,
  ...boundedCases,
  ...wakeCases,
  ...settleCases,
  ...readCases,
  ...loadCases,
  ...lostCases,
]

/**
 * What every queue driver promises (../port.ts). A driver runs it whole; what it cannot promise is named in `skips`.
 * All cases share one store, each with plugins of its own.
 */
export function queueContract(driver: string, makeStore: () => Promise<QueueStore>, skips: readonly Skip[] = []): void {
  describe(`queue contract: ${driver}`, { concurrency: 2 }, () => {
    let store: QueueStore | undefined
    before(async () => {
      store = await makeStore()
    })
    after(() => store?.[Symbol.asyncDispose]())

    const declare = ({ name, run }: ContractCase) => {
      const skip = skips.find((each) => each.name === name)
      test(name, skip === undefined ? {} : { skip: skip.reason }, async () => {
        assert.ok(store !== undefined)
        await inHarness(store, run)
      })
    }
    describe('one by one', () => CASES.filter((each) => each.slow === undefined).forEach(declare))
    describe('at the same time', { concurrency: true }, () => CASES.filter((each) => each.slow === true).forEach(declare))
    test('every skip names a case', () => {
      assert.deepEqual(
        skips.filter((skip) => !CASES.some(({ name }) => name === skip.name)),
        [],
      )
    })
  })
}

async function inHarness(store: QueueStore, run: (harness: QueueHarness) => Promise<void>): Promise<void> {
  await using opened = new AsyncDisposableStack()
  await run({
    database: store.database,
    lostAfterSeconds: store.lostAfterSeconds,
    open: async (settings = {}) => opened.use(await store.start(settings)).queue,
  })
}
