import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { correlationId, evolve, jobId, pluginName } from '../../event-log/index.ts'
import type { JobId, StoredJob, StoredState } from '../../event-log/index.ts'
import type { KnownSubscription } from '../subscriptions.ts'
import { done, testPlugins } from '../testing/plugins.ts'
import { classify } from './classify.ts'
import type { Candidate } from './classify.ts'
import { filterJson, freeze, pathOf, pathText, receiversJson, selectionOf } from './filter.ts'
import { causedBy, replaysOf } from './lineage.ts'
import { PlanTally } from './plan.ts'
import type { Caused, Selection } from './port.ts'
import { chooseReceivers } from './receivers.ts'
import type { Delivered } from './receivers.ts'

const NOW = new Date('2026-03-01T12:00:00Z')
const idAt = (n: number): JobId => jobId(`018f0000-0000-7000-8000-${String(n).padStart(12, '0')}`)

describe('a frozen selection', () => {
  const time = fc.date({ min: new Date('2020-01-01'), max: new Date('2030-01-01'), noInvalidDate: true })
  const step = fc.string({ minLength: 1, maxLength: 8 })
  const selection: fc.Arbitrary<Selection> = fc.oneof(
    fc.record({
      kind: fc.constant('jobs' as const),
      filter: fc.record(
        {
          plugin: step,
          kind: fc.constantFrom('action' as const, 'event' as const),
          name: step,
          states: fc.subarray(['succeeded', 'failed', 'dead'] as const, { minLength: 1 }),
          errorCode: step,
          errorFingerprint: step,
          pluginVersion: step,
          correlationId: fc.uuid(),
          replayId: fc.uuid(),
          since: time,
          until: time,
          payload: fc.array(
            fc.record(
              { path: fc.array(step, { minLength: 1, maxLength: 3 }), equals: fc.constantFrom(1, 'a', null, true) },
              { noNullPrototype: true },
            ),
            {
              minLength: 1,
              maxLength: 1,
            },
          ),
        },
        { requiredKeys: [], noNullPrototype: true },
      ),
    }),
    fc.record({
      kind: fc.constant('events' as const),
      filter: fc.record(
        { name: step, source: step, since: time, until: time, correlationId: fc.uuid() },
        { requiredKeys: [], noNullPrototype: true },
      ),
      to: fc.oneof(
        fc.constant('all' as const),
        fc.record({ plugin: step, subscription: step }, { requiredKeys: ['plugin'], noNullPrototype: true }),
      ),
    }),
  )

  test('is the same after it was stored, and never reaches past the moment it was frozen', () => {
    fc.assert(
      fc.property(selection, (written) => {
        const frozen = freeze(written, NOW)
        assert.ok(frozen.filter.until !== undefined && frozen.filter.until <= NOW)
        const stored = JSON.parse(JSON.stringify([filterJson(frozen), receiversJson(frozen)]))
        assert.deepEqual(selectionOf(frozen.kind, stored[0], stored[1]), frozen)
      }),
    )
  })

  test('means failed and dead jobs unless it says otherwise', () => {
    const frozen = freeze({ kind: 'jobs', filter: { plugin: 'shop' } }, NOW)
    assert.deepEqual(filterJson(frozen), { plugin: 'shop', state: ['failed', 'dead'], until: NOW.toISOString(), at: NOW.toISOString() })
  })

  test('paths are dotted, or JSON pointers', () => {
    assert.deepEqual(pathOf('user.id'), ['user', 'id'])
    assert.deepEqual(pathOf('/a.b/0/c~1d'), ['a.b', '0', 'c/d'])
    fc.assert(fc.property(fc.array(fc.string(), { minLength: 1 }), (path) => assert.deepEqual(pathOf(pathText(path)), path)))
  })
})

describe('the verdict on a candidate', () => {
  const world = { plugins: testPlugins({ shop: { handlers: { order: () => done() } } }), subscriptions: new Set(['shop/mail']) }
  const candidate: Candidate = {
    id: idAt(1),
    kind: 'action',
    plugin: pluginName('shop'),
    name: 'order',
    priority: 50,
    errorCode: 'busy',
    subscription: null,
    payload: {},
    later: 'none',
  }
  const options = { force: false, edited: undefined }
  const reason = (change: Partial<Candidate>) => {
    const verdict = classify({ ...candidate, ...change }, world, options)
    return verdict.kind === 'replay' ? 'replay' : verdict.reason
  }

  test('is to replay it, or why not', () => {
    assert.equal(reason({}), 'replay')
    assert.equal(reason({ later: 'succeeded' }), 'already_succeeded')
    assert.equal(reason({ later: 'other' }), 'superseded')
    assert.equal(reason({ name: 'gone' }), 'unhandled')
    assert.equal(reason({ plugin: pluginName('gone') }), 'unhandled')
    assert.equal(reason({ kind: 'event', subscription: 'mail', name: 'x' }), 'replay')
    assert.equal(reason({ kind: 'event', subscription: 'other', name: 'x' }), 'unhandled')
  })

  test('names the paths of a payload that does not fit any more', () => {
    const shop = world.plugins.find('shop') ?? assert.fail()
    const strict = {
      ...shop,
      accepts: () => ({ ok: false as const, reason: 'invalid' as const, issues: [{ path: '/payload/n', message: 'is required' }] }),
    }
    const verdict = classify(candidate, { ...world, plugins: { find: () => strict, refusal: () => undefined } }, options)
    assert.ok(verdict.kind === 'left out' && verdict.reason === 'invalid')
    assert.deepEqual(verdict.issues, [{ path: '/payload/n', message: 'is required' }])
  })
})

describe('who gets an event again', () => {
  const subscriber = (id: string, once = false): KnownSubscription => ({
    plugin: pluginName('mail'),
    id,
    pattern: '*',
    priority: 50,
    once,
    maxAttempts: 3,
    pluginVersion: '1.0.0',
  })
  const had = (...states: [subscription: string, state: StoredState][]) =>
    new Map<string, Delivered>(
      states.map(([subscription, state], n) => [`mail/${subscription}`, { jobId: idAt(n), plugin: 'mail', subscription, state }]),
    )
  const names = (choice: ReturnType<typeof chooseReceivers>) => [
    choice.deliver.map(({ subscription, last }) => `${subscription.id}${last === null ? ' first' : ''}`),
    choice.leftOut.map(({ subscription, reason }) => `${subscription} ${reason}`),
  ]
  const all = [subscriber('good'), subscriber('bad'), subscriber('new'), subscriber('busy'), subscriber('once', true)]
  const before = had(['good', 'succeeded'], ['bad', 'dead'], ['busy', 'queued'], ['gone', 'failed'])

  test('all, those that failed, or one', () => {
    assert.deepEqual(names(chooseReceivers(all, before, { to: 'all', again: true })), [['good', 'bad', 'new first'], ['busy under_way']])
    assert.deepEqual(names(chooseReceivers(all, before, { to: 'failed', again: true })), [['bad'], ['gone unhandled']])
    assert.deepEqual(names(chooseReceivers(all, before, { to: { plugin: 'mail', subscription: 'new' }, again: false })), [
      ['new first'],
      [],
    ])
    assert.deepEqual(names(chooseReceivers(all, before, { to: { plugin: 'mail', subscription: 'once' }, again: true })), [
      ['once first'],
      [],
    ])
    assert.deepEqual(names(chooseReceivers(all, before, { to: { plugin: 'mail' }, again: false })), [
      ['bad', 'new first'],
      ['good already_succeeded', 'busy under_way'],
    ])
    assert.deepEqual(names(chooseReceivers(all, before, { to: { plugin: 'other' }, again: true })), [[], []])
  })
})

describe('lineage', () => {
  function job(n: number, extra: Partial<StoredJob>): StoredJob {
    const requested = {
      type: 'job.requested',
      kind: 'action',
      name: 'order',
      payload: {},
      priority: 50,
      max_attempts: 3,
      correlation_id: correlationId(idAt(0)),
      plugin_version: '1.0.0',
      source: 'http',
    } as const
    return { ...evolve(undefined, { stream: idAt(n), plugin: pluginName('shop'), recordedAt: NOW, event: requested }), ...extra }
  }
  const size = (tree: readonly Caused[]): number => tree.reduce((sum, node) => sum + 1 + size(node.caused), 0)

  test('every job that goes back to the cause is shown once, circles or not', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 20 }), { maxLength: 20 }), (causes) => {
        const jobs = causes.map((cause, n) => job(n + 1, { causationId: idAt(cause) }))
        const tree = causedBy(idAt(0), jobs, [])
        const seen = new Set<string>()
        const walk = (nodes: readonly Caused[], cause: string) => {
          for (const node of nodes) {
            assert.ok(node.type === 'job' && node.job.causationId === cause && !seen.has(node.job.id))
            seen.add(node.job.id)
            walk(node.caused, node.job.id)
          }
        }
        walk(tree, idAt(0))
        assert.equal(size(tree), seen.size)
      }),
    )
  })

  test('the replays of a job are those that go back to it', () => {
    const chain = [
      job(1, { replayOf: idAt(0) }),
      job(2, { replayOf: idAt(1) }),
      job(3, { replayOf: idAt(0) }),
      job(4, { replayOf: idAt(3) }),
    ]
    assert.deepEqual(
      replaysOf(idAt(0), chain).map((each) => each.id),
      [1, 2, 3, 4].map(idAt),
    )
    assert.deepEqual(
      replaysOf(idAt(3), chain).map((each) => each.id),
      [idAt(4)],
    )
  })
})

test('a plan stays small, whatever there is', () => {
  const tally = new PlanTally()
  const about = (n: number) => ({
    id: idAt(n),
    kind: 'event' as const,
    plugin: pluginName('shop'),
    name: `event.${n}`,
    errorCode: `code${n % 500}`,
  })
  for (let n = 0; n < 5_000; n++) {
    const issues = [{ path: '/payload', message: 'no' }]
    tally.add(
      about(n),
      n % 2 === 0 ? { kind: 'replay' } : { kind: 'left out', reason: n % 4 === 1 ? 'invalid' : 'unhandled', why: 'gone', issues },
    )
  }
  const plan = tally.plan(7_000)
  assert.deepEqual([plan.matched, plan.checked, plan.toReplay, plan.leftOut], [7_000, 5_000, 2_500, { invalid: 1_250, unhandled: 1_250 }])
  assert.deepEqual([plan.sample.length, plan.invalid.length, plan.unhandled.length], [10, 20, 50])
  assert.equal(Object.keys(plan.byName).length, 201)
  assert.equal(
    Object.values(plan.byName).reduce((sum, count) => sum + count, 0),
    5_000,
  )
})
