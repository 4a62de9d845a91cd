import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CRASHES_A_MINUTE, CRASHES_IN_A_ROW, INITIAL, evolve } from './supervision.ts'
import type { Supervision, SupervisionEvent } from './supervision.ts'

const events = fc.array(fc.tuple(fc.constantFrom('crashed', 'succeeded', 'resumed' as const), fc.nat(120_000)))

function play(steps: readonly (readonly [SupervisionEvent['type'], number])[]): Supervision {
  let now = 0
  return steps.reduce((state, [type, ms]) => evolve(state, { type, now: (now += ms) }), INITIAL)
}

test('it opens after crashes in a row, or too many in a minute, and only resume closes it', () => {
  const crash = (times: number, ms: number) => Array.from({ length: times }, () => ['crashed', ms] as const)
  assert.equal(play(crash(CRASHES_IN_A_ROW - 1, 1)).circuit, 'closed')
  assert.equal(play(crash(CRASHES_IN_A_ROW, 1)).circuit, 'open')
  const mixed = (times: number, ms: number) =>
    Array.from({ length: times }, () => [['crashed', ms] as const, ['succeeded', 0] as const]).flat()
  assert.equal(play(mixed(CRASHES_A_MINUTE - 1, 1)).circuit, 'closed')
  assert.equal(play(mixed(CRASHES_A_MINUTE, 1)).circuit, 'open')
  assert.equal(play(mixed(1_000, 3_000)).circuit, 'closed')
  assert.equal(play([...crash(10, 1), ['succeeded', 1]]).circuit, 'open')
  assert.deepEqual(play([...crash(10, 1), ['resumed', 1]]), INITIAL)
})

test('pauses grow from none to 30 s and never past it', () => {
  fc.assert(
    fc.property(events, (steps) => {
      let now = 0
      let state = INITIAL
      for (const [type, ms] of steps) {
        now += ms
        state = evolve(state, { type, now })
        assert.ok(state.restartAt <= now + 30_000)
        assert.ok(state.recent.length <= CRASHES_A_MINUTE)
        if (type === 'crashed' && state.failures === 1) assert.equal(state.restartAt, now)
      }
    }),
  )
})
