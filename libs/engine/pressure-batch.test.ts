import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { PressureBatch } from './pressure-batch.ts'

/** A batch whose flushes end when the test says so. */
function controlled(options: { maxItems: number; lanes?: number; gatherFrom?: number }) {
  const flushes: { readonly items: readonly number[]; end(): void; fail(error: Error): void }[] = []
  const batch = new PressureBatch<number, string>(
    (items) =>
      new Promise((resolve, reject) => {
        flushes.push({ items, end: () => resolve(items.map((item) => ({ ok: true, value: `done ${item}` }))), fail: reject })
      }),
    options,
  )
  const sizes = () => flushes.map(({ items }) => items.length)
  return { batch, flushes, sizes }
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

describe('a batch by pressure', () => {
  test('idle, it flushes what came in one turn of the event loop; what comes meanwhile forms the next batch', async () => {
    const { batch, flushes, sizes } = controlled({ maxItems: 100 })
    const first = [batch.add(1), batch.add(2)]
    await turn()
    assert.deepEqual(sizes(), [2])
    const later = [batch.add(3), batch.add(4), batch.add(5)]
    await turn()
    assert.deepEqual(sizes(), [2])
    assert.equal(batch.busy, true)
    flushes[0]?.end()
    assert.deepEqual(await Promise.all(first), ['done 1', 'done 2'])
    await turn()
    assert.deepEqual(sizes(), [2, 3])
    flushes[1]?.end()
    assert.deepEqual(await Promise.all(later), ['done 3', 'done 4', 'done 5'])
    await batch.drained()
    assert.equal(batch.busy, false)
  })

  test('a second lane opens only for at least half a batch', async () => {
    const { batch, flushes, sizes } = controlled({ maxItems: 10, lanes: 2 })
    const all = [batch.add(0)]
    await turn()
    all.push(...numbers(4).map((n) => batch.add(n)))
    await turn()
    assert.deepEqual(sizes(), [1])
    all.push(batch.add(9))
    await turn()
    assert.deepEqual(sizes(), [1, 5])
    all.push(...numbers(30).map((n) => batch.add(n)))
    await turn()
    assert.deepEqual(sizes(), [1, 5], 'no third lane')
    for (let n = 0; n < flushes.length; n++) {
      flushes[n]?.end()
      await turn()
      await turn()
    }
    await Promise.all(all)
    assert.deepEqual(sizes(), [1, 5, 10, 10, 10])
  })

  test('after a large batch it gathers: it leaves once two turns brought nothing, when it is full, or after eight turns', async () => {
    const { batch, flushes, sizes } = controlled({ maxItems: 12, gatherFrom: 4 })
    const all = numbers(4).map((n) => batch.add(n))
    await turn()
    assert.deepEqual(sizes(), [4], 'idle, it waits for nobody')
    const trickle = async (items: number) => {
      for (let n = 0; n < items; n++) {
        all.push(batch.add(n))
        await turn()
      }
    }
    const settled = async () => {
      flushes.at(-1)?.end()
      await turn()
    }
    all.push(batch.add(0))
    await settled()
    await trickle(3)
    assert.deepEqual(sizes(), [4], 'each turn brought one')
    await turn()
    await turn()
    assert.deepEqual(sizes(), [4, 4])
    all.push(batch.add(0))
    await settled()
    all.push(...numbers(11).map((n) => batch.add(n)))
    await turn()
    assert.deepEqual(sizes(), [4, 4, 12], 'full')
    all.push(batch.add(0))
    await settled()
    await trickle(10)
    assert.ok((sizes()[3] ?? 0) >= 7 && (sizes()[3] ?? 0) <= 9, `after eight turns: ${sizes().join()}`)
    while (batch.busy) await settled()
    await Promise.all(all)
  })

  test('a flush that fails rejects its own items only', async () => {
    const { batch, flushes } = controlled({ maxItems: 2 })
    const [a, b, c] = [batch.add(1), batch.add(2), batch.add(3)]
    await turn()
    flushes[0]?.fail(new Error('away'))
    await assert.rejects(a, /away/)
    await assert.rejects(b, /away/)
    await turn()
    flushes[1]?.end()
    assert.equal(await c, 'done 3')
    await batch.drained()
  })

  test('an item may fail alone, and a flush that forgets an item does not leave it hanging', async () => {
    const batch = new PressureBatch<number, number>(
      async (items) => items.slice(0, 2).map((item) => (item === 1 ? { ok: false, error: new Error('one') } : { ok: true, value: item })),
      { maxItems: 10 },
    )
    const ends = await Promise.allSettled([batch.add(0), batch.add(1), batch.add(2)])
    assert.deepEqual(
      ends.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected'],
    )
  })

  test('every item is flushed once, in order, in batches of the allowed size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 8 }),
        async (maxItems, lanes, bursts) => {
          const flushed: number[] = []
          let flying = 0
          const batch = new PressureBatch<number, number>(
            async (items) => {
              assert.ok(items.length <= maxItems && ++flying <= lanes)
              flushed.push(...items)
              await turn()
              flying--
              return items.map((value) => ({ ok: true, value }))
            },
            { maxItems, lanes },
          )
          const answers: Promise<number>[] = []
          for (const burst of bursts) {
            for (let n = 0; n < burst; n++) answers.push(batch.add(answers.length))
            await turn()
          }
          await batch.drained()
          assert.deepEqual(await Promise.all(answers), numbers(answers.length))
          assert.deepEqual(flushed, numbers(answers.length))
        },
      ),
    )
  })
})
