import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createOutstandingCalls, createSeats } from './seats.ts'
import type { Seat, Seats } from './seats.ts'
import { createSlots } from './slots.ts'

function seatsOf(concurrency: number, total = 100, plugin = 'a', stallMs = 60_000) {
  const slots = createSlots(total)
  const calls = createOutstandingCalls()
  let rooms = 0
  const seats = createSeats({ plugin, slots, calls, concurrency: () => concurrency, onRoom: () => rooms++, stallMs })
  slots.onFree(() => seats.resume())
  return { seats, slots, calls, rooms: () => rooms }
}

function sit(seats: Seats): Seat {
  assert.ok(seats.room() >= 1)
  seats.reserve(1)
  return seats.sit()
}

test('who waits frees its slot, not its place; a call of its own plugin gets a place more', async () => {
  const { seats, slots } = seatsOf(1, 5)
  const outer = sit(seats)
  assert.deepEqual([slots.free, seats.room()], [4, 0])
  const other = Promise.withResolvers<string>()
  const waiting = seats.whileWaiting(outer, 'b', () => other.promise)
  assert.deepEqual([slots.free, seats.room()], [5, 0])
  other.resolve('done')
  assert.equal(await waiting, 'done')
  assert.deepEqual([slots.free, seats.room()], [4, 0])

  const own = Promise.withResolvers<string>()
  const nested = seats.whileWaiting(outer, 'a', () => own.promise)
  const inner = sit(seats)
  assert.equal(seats.room(), 0)
  own.resolve('inner')
  let resumed = false
  void nested.then(() => (resumed = true))
  await new Promise(setImmediate)
  assert.equal(resumed, false, 'two would run at once')
  seats.leave(inner)
  assert.equal(await nested, 'inner')
  seats.leave(outer)
  assert.deepEqual([slots.free, seats.taken, seats.room()], [5, 0, 1])
})

test('who goes on takes a slot again, before anybody new', async () => {
  const { seats, slots } = seatsOf(2, 1)
  const first = sit(seats)
  const outcome = Promise.withResolvers<void>()
  const waiting = seats.whileWaiting(first, 'b', () => outcome.promise)
  const second = sit(seats)
  outcome.resolve()
  let resumed = false
  void waiting.then(() => (resumed = true))
  await new Promise(setImmediate)
  assert.equal(resumed, false)
  seats.leave(second)
  await waiting
  assert.deepEqual([slots.free, seats.room()], [0, 0])
})

test('several outcomes at once are one wait; a failure is passed on', async () => {
  const { seats, slots } = seatsOf(1, 2)
  const seat = sit(seats)
  const [one, two] = [Promise.withResolvers<number>(), Promise.withResolvers<number>()]
  const both = Promise.allSettled([seats.whileWaiting(seat, 'b', () => one.promise), seats.whileWaiting(seat, 'c', () => two.promise)])
  assert.equal(slots.free, 2)
  one.resolve(1)
  await new Promise(setImmediate)
  assert.equal(slots.free, 2)
  two.reject(new Error('no'))
  assert.deepEqual(
    (await both).map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
  assert.equal(slots.free, 1)
})

test('a job that ends while it waits has given its slot already', async () => {
  const { seats, slots } = seatsOf(1, 1)
  const seat = sit(seats)
  const outcome = Promise.withResolvers<void>()
  const waiting = seats.whileWaiting(seat, 'b', () => outcome.promise)
  seats.leave(seat)
  assert.deepEqual([slots.free, seats.room()], [1, 1])
  outcome.resolve()
  await waiting
  await seats.whileWaiting(seat, 'b', async () => {})
  assert.deepEqual([slots.free, seats.room()], [1, 1])
})

test('when all wait and nothing moves, one more is let in at a time', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { seats, rooms } = seatsOf(2, 100, 'a', 250)
  const outcomes = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const waits = outcomes.map(({ promise }) => seats.whileWaiting(sit(seats), 'b', () => promise))
  assert.equal(seats.room(), 0)
  const before = rooms()
  t.mock.timers.tick(249)
  assert.equal(seats.room(), 0)
  t.mock.timers.tick(1)
  assert.deepEqual([seats.room(), rooms()], [1, before + 1])
  t.mock.timers.tick(2_000)
  assert.equal(seats.room(), 1, 'not two before the one was used')
  const third = sit(seats)
  outcomes[0]?.resolve()
  await waits[0]
  assert.equal(seats.room(), 0, 'two run: what was added is gone')
  seats.leave(third)
  outcomes[1]?.resolve()
  await waits[1]
})

test('whatever jobs do, never more than `concurrency` run at once, no slot is lost, and all come to their end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
      // what each job waits for, one after the other
      fc.array(fc.array(fc.constantFrom('a', 'b'), { maxLength: 3 }), { minLength: 1, maxLength: 12 }),
      async (concurrency, total, jobs) => {
        const { seats, slots } = seatsOf(concurrency, total)
        let running = 0
        const todo = [...jobs]
        const done: Promise<void>[] = []
        async function run(waits: readonly string[]) {
          const seat = seats.sit()
          assert.ok(++running <= concurrency)
          await new Promise(setImmediate)
          for (const on of waits) {
            running--
            await seats.whileWaiting(seat, on, () => new Promise(setImmediate))
            assert.ok(++running <= concurrency && running <= total)
            await new Promise(setImmediate)
          }
          running--
          seats.leave(seat)
        }
        while (todo.length > 0) {
          for (const next of todo.splice(0, Math.max(0, seats.room()))) {
            seats.reserve(1)
            done.push(run(next))
          }
          await new Promise(setImmediate)
        }
        await Promise.all(done)
        assert.deepEqual([seats.taken, slots.free, running], [0, total, 0])
      },
    ),
    { numRuns: 100 },
  )
})
