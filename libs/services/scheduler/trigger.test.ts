import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { MissedPolicy } from '@xcore/sdk'
import { plan } from './plan.ts'
import { firstRun, nextRun, runsBetween } from './trigger.ts'
import type { Trigger } from './trigger.ts'

const HOUR = 3_600_000
const time = fc.integer({ min: Date.parse('2020-01-01'), max: Date.parse('2035-01-01') })
const interval = fc.integer({ min: 100, max: 40 * 24 * HOUR }).map((every_ms): Trigger => ({ kind: 'interval', every_ms }))
const cron = fc
  .record({
    cron: fc.constantFrom(
      '* * * * *',
      '*/5 * * * * *',
      '30 2 * * *',
      '15 2-3 * * *',
      '0 0 29 2 *',
      '0 9 * * mon-fri',
      '0 0 L * *',
      '0 */7 * * *',
    ),
    timezone: fc.constantFrom('UTC', 'Europe/Stockholm', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu'),
  })
  .map((fields): Trigger => ({ kind: 'cron', ...fields }))
const date = time.map((at): Trigger => ({ kind: 'date', at: new Date(at).toISOString() }))
const trigger = fc.oneof(interval, cron, date)

function runs(cron: string, timezone: string, from: string, count: number): string[] {
  const found: string[] = []
  for (let at: number | null = Date.parse(from); found.length < count;) {
    at = nextRun({ kind: 'cron', cron, timezone }, 0, at)
    if (at === null) break
    found.push(new Date(at).toISOString().replace(':00.000Z', 'Z'))
  }
  return found
}

describe('when a trigger fires', () => {
  test('the next run is later, and nothing lies between', () => {
    fc.assert(
      fc.property(trigger, time, time, (what, anchor, after) => {
        const next = nextRun(what, anchor, after)
        if (next === null) return
        assert.ok(next > after)
        if (next - 1 > after) assert.equal(nextRun(what, anchor, next - 1), next)
      }),
    )
  })

  test('runsBetween lists what nextRun steps through', () => {
    fc.assert(
      fc.property(
        fc.oneof(interval, cron),
        time,
        fc.integer({ min: 0, max: 30 }),
        fc.integer({ min: 1, max: 40 }),
        (what, anchor, steps, limit) => {
          const first = firstRun(what, anchor)
          assert.ok(first !== null)
          const stepped = [first]
          for (let n = 0; n < steps; n++) stepped.push(nextRun(what, anchor, stepped.at(-1) ?? 0) ?? 0)
          const until = stepped.at(-1) ?? 0
          assert.deepEqual(runsBetween(what, first, until, limit), stepped.slice(-limit))
          assert.deepEqual(runsBetween(what, first, until + 50, limit), stepped.slice(-limit))
          assert.deepEqual(runsBetween(what, first, first - 1, limit), [])
        },
      ),
    )
  })

  test('an interval never drifts from its anchor', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: HOUR }), time, fc.array(fc.nat(10 * HOUR), { maxLength: 20 }), (every_ms, anchor, delays) => {
        let next = firstRun({ kind: 'interval', every_ms }, anchor) ?? 0
        for (const late of delays) {
          const planned = plan({ trigger: { kind: 'interval', every_ms }, missed: 'once', anchor, nextRun: next, now: next + late })
          next = planned.nextRun ?? 0
          assert.equal((next - anchor) % every_ms, 0)
          for (const run of planned.fire) assert.equal((run - anchor) % every_ms, 0)
        }
      }),
    )
  })

  test('clocks that go forward: what names its hour runs right after the gap, what repeats goes on', () => {
    assert.deepEqual(runs('30 2 * * *', 'Europe/Stockholm', '2026-03-28T12:00:00Z', 2), ['2026-03-29T01:00Z', '2026-03-30T00:30Z'])
    assert.deepEqual(runs('*/30 * * * *', 'Europe/Stockholm', '2026-03-29T00:10:00Z', 3), [
      '2026-03-29T00:30Z',
      '2026-03-29T01:00Z',
      '2026-03-29T01:30Z',
    ])
    assert.deepEqual(runs('30 2 * * *', 'America/New_York', '2026-03-07T12:00:00Z', 2), ['2026-03-08T07:00Z', '2026-03-09T06:30Z'])
  })

  test('clocks that go back: what names its hour runs once, what repeats runs in both hours', () => {
    assert.deepEqual(runs('30 2 * * *', 'Europe/Stockholm', '2026-10-24T12:00:00Z', 2), ['2026-10-25T00:30Z', '2026-10-26T01:30Z'])
    assert.deepEqual(runs('30 1,2 * * *', 'America/New_York', '2026-10-31T12:00:00Z', 2), ['2026-11-01T05:30Z', '2026-11-01T07:30Z'])
    assert.deepEqual(runs('*/30 * * * *', 'Europe/Stockholm', '2026-10-25T00:10:00Z', 4), [
      '2026-10-25T00:30Z',
      '2026-10-25T01:00Z',
      '2026-10-25T01:30Z',
      '2026-10-25T02:00Z',
    ])
  })

  test('the 29th of February, the 31st and the last day of a month', () => {
    assert.deepEqual(runs('0 0 29 2 *', 'UTC', '2026-01-01T00:00:00Z', 2), ['2028-02-29T00:00Z', '2032-02-29T00:00Z'])
    assert.deepEqual(runs('0 0 31 * *', 'UTC', '2026-01-31T00:00:00Z', 2), ['2026-03-31T00:00Z', '2026-05-31T00:00Z'])
    assert.deepEqual(runs('0 0 L * *', 'UTC', '2028-01-31T00:00:00Z', 2), ['2028-02-29T00:00Z', '2028-03-31T00:00Z'])
    assert.deepEqual(runs('10 30 9 * * 1', 'UTC', '2026-11-22T00:00:00Z', 1), ['2026-11-23T09:30:10.000Z'])
  })
})

describe('what is made up for', () => {
  const every: Trigger = { kind: 'interval', every_ms: 10_000 }
  const at = (missed: MissedPolicy, now: number, trigger: Trigger = every) => plan({ trigger, missed, anchor: 0, nextRun: 10_000, now })

  test('nothing before its time', () => {
    assert.deepEqual(at('once', 9_999), { fire: [], latest: null, nextRun: 10_000, capped: false })
  })
  test('once: one for all', () => {
    assert.deepEqual(at('once', 10_000), { fire: [10_000], latest: 10_000, nextRun: 20_000, capped: false })
    assert.deepEqual(at('once', 1_000_005), { fire: [1_000_000], latest: 1_000_000, nextRun: 1_010_000, capped: false })
  })
  test('skip: only what is less than 60 s late', () => {
    const daily: Trigger = { kind: 'interval', every_ms: 10_000_000 }
    assert.deepEqual(at('skip', 70_000, daily).fire, [10_000])
    assert.deepEqual(at('skip', 70_001, daily), { fire: [], latest: 10_000, nextRun: 10_000_000, capped: false })
    assert.deepEqual(at('skip', 1_000_005).fire, [1_000_000])
  })
  test('all: each, at most the latest 100', () => {
    assert.deepEqual(at('all', 35_000).fire, [10_000, 20_000, 30_000])
    const many = at('all', 2_000_000)
    assert.deepEqual([many.fire.length, many.fire[0], many.fire[99], many.capped], [100, 1_010_000, 2_000_000, true])
    assert.equal(at('all', 1_000_000).capped, false)
  })
  test('a date fires once, however late, unless it is to be skipped', () => {
    const date: Trigger = { kind: 'date', at: new Date(10_000).toISOString() }
    assert.deepEqual(at('once', 1e9, date), { fire: [10_000], latest: 10_000, nextRun: null, capped: false })
    assert.deepEqual(at('all', 1e9, date).fire, [10_000])
    assert.deepEqual(at('skip', 1e9, date), { fire: [], latest: 10_000, nextRun: null, capped: false })
  })
  test('every firing of `all` is dealt with once, however often one looks', () => {
    fc.assert(
      fc.property(fc.oneof(interval, cron), time, fc.array(fc.nat(90 * 60_000), { minLength: 1, maxLength: 8 }), (what, anchor, gaps) => {
        let next = firstRun(what, anchor) ?? 0
        let now = anchor
        const fired: number[] = []
        let capped = false
        for (const gap of gaps) {
          now += gap
          const planned = plan({ trigger: what, missed: 'all', anchor, nextRun: next, now })
          fired.push(...planned.fire)
          capped ||= planned.capped
          next = planned.nextRun ?? 0
          assert.ok(next > now)
        }
        if (capped) return
        const all = runsBetween(what, firstRun(what, anchor) ?? 0, now, 10_000)
        assert.deepEqual(fired, all)
      }),
      { numRuns: 60 },
    )
  })
})
