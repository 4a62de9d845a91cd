import assert from 'node:assert/strict'
import type { PluginName } from '../../../event-log/ids.ts'
import type { Claim, Queue } from '../../port.ts'
import { acknowledge, entries, filled, freshPlugin, ids, put } from '../harness.ts'
import type { ContractCase, QueueHarness } from '../harness.ts'

const BATCH = 500

async function putMany(harness: QueueHarness, queue: Queue, plugin: PluginName, count: number): Promise<string[]> {
  await queue.declare([plugin])
  const added = entries(plugin, count)
  for (let at = 0; at < count; at += BATCH) await put(harness, queue, added.slice(at, at + BATCH))
  return ids(added)
}

/** The fastest of several claims of one job, in milliseconds: the fastest is what the machine's other work disturbs least. */
async function fastestClaim(harness: QueueHarness, queue: Queue, plugin: PluginName): Promise<number> {
  let fastest = Infinity
  for (let n = 0; n < 15; n++) {
    await put(harness, queue, entries(plugin, 1))
    const started = performance.now()
    const claims = await queue.claim(plugin, 1)
    fastest = Math.min(fastest, performance.now() - started)
    assert.equal(claims.length, 1)
    await acknowledge(harness, queue, claims)
  }
  return fastest
}

export const loadCases: readonly ContractCase[] = [
  {
    name: '10,000 jobs are claimed exactly once by four claimers while they are enqueued',
    async run(harness) {
      const queues = await Promise.all([harness.open(), harness.open()])
      const plugin = freshPlugin()
      const total = 10_000
      const seen = new Map<string, number>()
      let count = 0
      const adding = putMany(harness, queues[0], plugin, total)
      const claimers = [...queues, ...queues].map(async (queue) => {
        await queue.declare([plugin])
        while (count < total) {
          const claims: Claim[] = await queue.claim(plugin, BATCH)
          for (const { jobId } of claims) seen.set(jobId, (seen.get(jobId) ?? 0) + 1)
          count += claims.length
          if (claims.length > 0) await acknowledge(harness, queue, claims)
        }
      })
      const [added] = await Promise.all([adding, ...claimers])
      assert.equal(seen.size, total)
      assert.deepEqual(
        added.filter((id) => seen.get(id) !== 1),
        [],
      )
      assert.deepEqual(await queues[0].list({ plugin, held: true, limit: 10 }), [])
    },
  },
  {
    name: 'a long queue of one plugin does not slow the claims of another',
    async run(harness) {
      const queue = await harness.open()
      const { plugin } = await filled(harness, queue, 0)
      const quiet = await fastestClaim(harness, queue, plugin)
      const crowd = freshPlugin()
      await putMany(harness, queue, crowd, 50_000)
      const crowded = await fastestClaim(harness, queue, plugin)
      // A scan of the crowd would cost more than ten times as much.
      assert.ok(
        crowded < Math.max(5 * quiet, 10),
        `a claim took ${crowded.toFixed(1)} ms beside 50,000 jobs of another plugin, ${quiet.toFixed(1)} ms without them`,
      )
      assert.equal((await queue.claim(crowd, 100)).length, 100)
    },
  },
]
