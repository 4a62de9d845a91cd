import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { pluginName } from '../../../../event-log/index.ts'
import { testLogger } from '../../../../postgres/testing/index.ts'
import type { Operation } from './calls.ts'
import type { Work } from './end.ts'
import { withinServiceRate } from './service-rate.ts'

const work: Work = { id: 1, kind: 'job', signal: new AbortController().signal, logger: testLogger }

test('never more than the burst and what has flowed in since; what ends something is always admitted', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 100 }),
      fc.array(fc.nat(3_000), { maxLength: 100 }),
      async (calls, periodSeconds, pauses) => {
        let now = 0
        const rest = { timeoutSeconds: 1, maxMemoryMb: 1, maxDiskMb: 1, rateLimit: null }
        const manifest = { name: pluginName('shop'), resources: { ...rest, serviceRateLimit: { calls, periodSeconds } } }
        const done: Operation = { run: async () => 'done' }
        const operations = withinServiceRate(manifest, { emit: done, 'tx.end': done }, () => now)
        let admitted = 0
        for (const pause of pauses) {
          now += pause
          const answer = await operations['emit']?.run({}, work).catch((thrown: { code: string }) => thrown.code)
          if (answer === 'done') admitted += 1
          else assert.equal(answer, 'rate_limit_exceeded')
          assert.ok(admitted <= calls + (now / 1000) * (calls / periodSeconds) + 1e-6)
          assert.equal(await operations['tx.end']?.run({}, work), 'done')
        }
        if (pauses.length > 0) assert.ok(admitted >= Math.min(calls, pauses.length))
      },
    ),
  )
})
