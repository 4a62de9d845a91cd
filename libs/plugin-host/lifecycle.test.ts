import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { transition, type LifecycleEvent } from './lifecycle.ts'
import type { PluginState } from './port.ts'

const EVENTS = ['load', 'loaded', 'drain', 'unloaded', 'fail'] as const satisfies readonly LifecycleEvent[]

const walk = (events: readonly LifecycleEvent[]): PluginState | undefined =>
  events.reduce<PluginState | undefined>((state, event) => (state === undefined ? undefined : transition(state, event)), 'discovered')

test('the life of a plugin', () => {
  assert.equal(walk(['load', 'loaded']), 'ready')
  assert.equal(walk(['load', 'loaded', 'drain', 'unloaded']), 'unloaded')
  assert.equal(walk(['load', 'loaded', 'drain', 'unloaded', 'load', 'loaded']), 'ready')
  assert.equal(walk(['fail', 'load', 'fail']), 'failed')
  assert.equal(walk(['load', 'loaded', 'drain', 'fail']), 'failed')
})

test('events out of place are refused', () => {
  assert.equal(transition('discovered', 'loaded'), undefined)
  assert.equal(transition('ready', 'load'), undefined)
  assert.equal(transition('unloaded', 'fail'), undefined)
})

test('nothing is ready without having loaded just before, and every state that is reached can be left', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...EVENTS)), (events) => {
      let state: PluginState = 'discovered'
      for (const event of events) {
        const next = transition(state, event)
        if (next === 'ready') assert.deepEqual([state, event], ['loading', 'loaded'])
        state = next ?? state
      }
      assert.ok(EVENTS.some((event) => transition(state, event) !== undefined))
    }),
  )
})
