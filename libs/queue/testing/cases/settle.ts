import assert from 'node:assert/strict'
import type { RetryEntry } from '../../port.ts'
import { acknowledge, claimWhenReady, filled, ids } from '../harness.ts'
import type { ContractCase } from '../harness.ts'

export const settleCases: readonly ContractCase[] = [
  {
    name: 'acknowledged jobs are gone; a rollback leaves them held',
    async run(harness) {
      const queue = await harness.open()
      const { plugin, added } = await filled(harness, queue, 3)
      const claims = await queue.claim(plugin, 10)
      await assert.rejects(
        harness.database.transaction(async (tx) => {
          await queue.acknowledge(tx, claims)
          throw new Error('not recorded')
        }),
        /not recorded/,
      )
      assert.deepEqual([...(await queue.held(added)).keys()].sort(), ids(added).sort())
      assert.deepEqual(await queue.claim(plugin, 10), [])
      await acknowledge(harness, queue, claims)
      assert.equal((await queue.held(added)).size, 0)
      assert.deepEqual(await queue.claim(plugin, 10), [])
      // again: it is gone already
      await acknowledge(harness, queue, claims)
    },
  },
  {
    name: 'a retried job comes back under its id at its time and priority, and is not lost',
    async run(harness) {
      const queue = await harness.open()
      const { plugin, added } = await filled(harness, queue, 2, { priority: 20 })
      const [first, second] = await queue.claim(plugin, 2)
      assert.ok(first !== undefined && second !== undefined)
      const runAt = new Date(Date.now() + 300)
      const retries: RetryEntry[] = [
        { claim: first, priority: 90, runAt },
        { claim: second, priority: 20, runAt: new Date() },
      ]
      await harness.database.transaction((tx) => queue.retry(tx, retries))
      await queue.settled([], retries)
      assert.equal((await queue.held(added)).size, 0)
      assert.deepEqual(await claimWhenReady(queue, plugin, 1), [{ ...second, lost: false }])
      assert.deepEqual(await claimWhenReady(queue, plugin, 1), [{ ...first, lost: false }])
      assert.ok(Date.now() >= runAt.getTime())
    },
  },
  {
    name: 'a retry that rolls back leaves the job held, and not on the queue a second time',
    async run(harness) {
      const queue = await harness.open()
      const { plugin, added } = await filled(harness, queue, 1)
      const claims = await queue.claim(plugin, 1)
      const retries = claims.map((claim): RetryEntry => ({ claim, priority: 50, runAt: new Date() }))
      await assert.rejects(
        harness.database.transaction(async (tx) => {
          await queue.retry(tx, retries)
          throw new Error('not recorded')
        }),
        /not recorded/,
      )
      assert.equal((await queue.held(added)).size, 1)
      assert.deepEqual(await queue.claim(plugin, 1), [])
    },
  },
  {
    name: 'released jobs are claimed elsewhere as if never held',
    async run(harness) {
      const [leaving, staying] = await Promise.all([harness.open(), harness.open()])
      const { plugin, added } = await filled(harness, leaving, 5)
      const claims = await leaving.claim(plugin, 5)
      const elsewhere = claimWhenReady(staying, plugin, 5)
      await leaving.release(claims.map((claim) => ({ claim, priority: 50, runAt: new Date() })))
      const found = await elsewhere
      assert.deepEqual(ids(found).sort(), ids(added).sort())
      assert.ok(found.every((claim) => !claim.lost))
      await leaving.release([])
    },
  },
  {
    name: 'remove takes waiting, delayed and held jobs off',
    async run(harness) {
      const [queue, other] = await Promise.all([harness.open(), harness.open()])
      const { plugin, added } = await filled(harness, queue, 2)
      const delayed = await filled(harness, queue, 1, { runAt: new Date(Date.now() + 3_600_000) })
      const [held] = await queue.claim(plugin, 1)
      assert.ok(held !== undefined)
      await harness.database.transaction((tx) => other.remove(tx, [...added, ...delayed.added]))
      assert.equal((await queue.held(added)).size, 0)
      assert.deepEqual(await queue.claim(plugin, 10), [])
      assert.deepEqual(await queue.list({ plugin: delayed.plugin, held: false, limit: 10 }), [])
      // the holder may still say that it is done
      await queue.heartbeat([held])
      await acknowledge(harness, queue, [held])
      assert.deepEqual(await queue.list({ plugin, held: true, limit: 10 }), [])
    },
  },
  {
    name: 'a queue that is stopped leaves what it holds to be found',
    async run(harness) {
      const [stopped, other] = await Promise.all([harness.open(), harness.open()])
      const { plugin, added } = await filled(harness, stopped, 2)
      await stopped.claim(plugin, 1)
      await stopped.stop()
      assert.equal((await other.held(added)).size, 1)
      assert.equal((await other.claim(plugin, 10)).length, 1)
    },
  },
]
