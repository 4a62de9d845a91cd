import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { XCoreError } from '../errors/index.ts'
import type { EmitRequest, SubmitRequest } from './port.ts'
import { done, testPlugins } from './testing/plugins.ts'
import { testEngine } from './testing/running.ts'

const JOB = { plugin: 'shop', action: 'order', payload: {}, source: 'plugin' } as const
const EVENT = { name: 'order.placed', data: {}, source: 'xcore://plugins/shop' } as const

test('what Postgres cannot store in a name or key is refused at the door, with what was expected', async () => {
  await using t = await testEngine(testPlugins({ shop: { handlers: { order: () => done() } } }), { consume: false })
  const bad = { code: 'bad_request' }
  for (const text of ['', 'a\u0000b', '\ud800', 'x'.repeat(513)]) {
    await assert.rejects(t.engine.submit({ ...JOB, idempotencyKey: text }), bad)
    await assert.rejects(t.engine.submit({ ...JOB, action: text }), bad)
    await assert.rejects(t.engine.emit({ ...EVENT, idempotencyKey: text }), bad)
    await assert.rejects(t.engine.emit({ ...EVENT, externalId: text }), bad)
    await assert.rejects(t.engine.emit({ ...EVENT, name: text }), bad)
    await assert.rejects(t.engine.emit({ ...EVENT, source: text }), bad)
  }
  await assert.rejects(
    t.engine.submit({ ...JOB, idempotencyKey: 'a\u0000' }),
    /Expected an idempotency key of 1 to 512 characters; this one holds the character U\+0000/,
  )
})

test('whatever text a caller gives, the answer is an acceptance or an error of the catalogue', async () => {
  await using t = await testEngine(testPlugins({ shop: { handlers: { order: () => done() } } }), { consume: false })
  const text = fc.string({ unit: 'binary', maxLength: 20 })
  const job: fc.Arbitrary<SubmitRequest> = fc.record({
    plugin: fc.constantFrom('shop', 'a\u0000'),
    action: fc.oneof(fc.constant('order'), text),
    payload: fc.record({ text }),
    source: fc.constant('plugin' as const),
    idempotencyKey: text,
  })
  const event: fc.Arbitrary<EmitRequest> = fc.record({ name: text, data: fc.record({ text }), source: text, externalId: text })
  const settled = (outcome: Promise<unknown>) =>
    outcome.then(
      () => undefined,
      (error: unknown) => assert.ok(error instanceof XCoreError && error.code !== 'internal_error', String(error)),
    )
  const property = fc.asyncProperty(fc.array(job, { maxLength: 5 }), fc.array(event, { maxLength: 5 }), async (jobs, events) => {
    await Promise.all([...jobs.map((each) => settled(t.engine.submit(each))), ...events.map((each) => settled(t.engine.emit(each)))])
  })
  await fc.assert(property, { seed: 20, numRuns: 60 })
})
