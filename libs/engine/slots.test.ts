import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createSlots } from './slots.ts'

test('freed slots are offered to each plugin in turn', () => {
  const slots = createSlots(1)
  const ran: string[] = []
  const waiting = new Map([
    ['a', 100],
    ['b', 3],
    ['c', 3],
  ])
  for (const name of waiting.keys()) {
    slots.onFree(() => {
      const left = waiting.get(name) ?? 0
      if (slots.free <= 0 || left === 0) return
      slots.take(1)
      waiting.set(name, left - 1)
      ran.push(name)
    })
  }
  slots.take(1)
  for (let n = 0; n < 9; n++) slots.give(1)
  assert.deepEqual(ran.toSorted().join(''), 'aaabbbccc')
})

test('whoever wants slots gets them all in the end, and never more than there are', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 }),
      fc.infiniteStream(fc.nat()),
      (total, wants, dice) => {
        const slots = createSlots(total)
        const left = [...wants]
        const running: number[] = []
        const listeners = wants.map((_, plugin) => () => {
          const count = Math.min(left[plugin] ?? 0, slots.free)
          if (count <= 0) return
          slots.take(count)
          left[plugin] = (left[plugin] ?? 0) - count
          running.push(...Array<number>(count).fill(plugin))
        })
        for (const listener of listeners) slots.onFree(listener)
        for (const listener of listeners) listener()
        while (running.length > 0) {
          assert.equal(running.length + slots.free, total)
          running.splice((dice.next().value ?? 0) % running.length, 1)
          slots.give(1)
        }
        assert.deepEqual(
          left.filter((count) => count > 0),
          [],
        )
        assert.equal(slots.free, total)
      },
    ),
  )
})

test('a listener that left is not asked', () => {
  const slots = createSlots(1)
  let asked = 0
  const off = slots.onFree(() => asked++)
  slots.take(1)
  slots.give(1)
  off()
  off()
  slots.take(1)
  slots.give(1)
  assert.equal(asked, 1)
})
