import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { XCoreError } from '../../errors/index.ts'
import { pluginName } from '../../event-log/index.ts'
import { scheduleRequest } from './definition.ts'

const func = () => {}
const parse = (definition: unknown, atRunTime = false, method: string | null = 'func') =>
  scheduleRequest(definition, {
    plugin: pluginName('p'),
    pluginVersion: '1.0.0',
    priority: 50,
    maxAttempts: 3,
    atRunTime,
    now: Date.parse('2026-01-01'),
    methodOf: () => method,
    newId: () => 'new-id',
  }).request

test('the three triggers', () => {
  assert.deepEqual(parse({ id: 'a', trigger: 'interval', minutes: 1.5, seconds: 5, func }), {
    plugin: 'p',
    id: 'a',
    trigger: { kind: 'interval', every_ms: 95_000 },
    method: 'func',
    priority: 50,
    maxAttempts: 3,
    pluginVersion: '1.0.0',
    args: [],
    missed: 'once',
    jitterSeconds: 0,
    replaceExisting: false,
  })
  assert.deepEqual(parse({ id: 'a', trigger: 'cron', cron: ' 30  2 * * * ', func }).trigger, {
    kind: 'cron',
    cron: '30 2 * * *',
    timezone: 'UTC',
  })
  assert.deepEqual(parse({ id: 'a', trigger: 'cron', cron: '0 30 2 * * mon', timezone: 'Europe/Paris', func }).trigger, {
    kind: 'cron',
    cron: '0 30 2 * * mon',
    timezone: 'Europe/Paris',
  })
  for (const [runDate, at] of [
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    ['2030-01-31T09:00:00Z', '2030-01-31T09:00:00.000Z'],
    ['2030-01-31T09:00:00.250+02:00', '2030-01-31T07:00:00.250Z'],
    ['2030-01-31T09:00', '2030-01-31T09:00:00.000Z'],
    ['2030-01-31 09:00:00', '2030-01-31T09:00:00.000Z'],
    ['2030-01-31', '2030-01-31T00:00:00.000Z'],
  ] as const) {
    assert.deepEqual(parse({ id: 'a', trigger: 'date', runDate, func }).trigger, { kind: 'date', at }, String(runDate))
  }
})

test('options', () => {
  const given = parse({
    id: 'a',
    trigger: 'date',
    runDate: new Date(0),
    func,
    args: [1, { at: new Date(0) }],
    missed: 'all',
    jitter: 2,
    replaceExisting: true,
  })
  assert.deepEqual(
    [given.args, given.missed, given.jitterSeconds, given.replaceExisting],
    [[1, { at: '1970-01-01T00:00:00.000Z' }], 'all', 2, true],
  )
  assert.equal(parse({ trigger: 'interval', hours: 1, func }, true).id, 'new-id')
})

test('what is wrong is refused with its field, what was expected and what was found', () => {
  const interval = { id: 'a', trigger: 'interval', seconds: 5, func }
  const cron = { id: 'a', trigger: 'cron', cron: '* * * * *', func }
  const date = { id: 'a', trigger: 'date', runDate: '2030-01-01', func }
  for (const [definition, message] of [
    [null, /\(definition\): expected an object .*, found null/],
    [{ ...interval, trigger: 'weekly' }, /trigger: expected 'interval', 'cron' or 'date', found weekly/],
    [{ ...interval, trigger: undefined }, /trigger: .*found undefined/],
    [{ ...interval, replace_existing: true }, /replace_existing: .*an unknown field. Did you mean "replaceExisting"\?/],
    [{ ...interval, second: 5 }, /second: .*Did you mean "seconds"\?/],
    [{ ...interval, cron: '* * * * *' }, /cron: .*found a field of trigger 'cron'/],
    [{ ...cron, minutes: 5 }, /minutes: .*found a field of trigger 'interval'/],
    [{ ...interval, id: undefined }, /id: expected a text of 1 to 255 characters, found undefined/],
    [{ ...interval, id: '' }, /id: .*found 0 characters/],
    [{ ...interval, id: 'x'.repeat(256) }, /id: .*found 256 characters/],
    [{ ...interval, seconds: 0 }, /seconds, minutes, hours, days: .*at least 0\.1 seconds .*found 0 seconds/],
    [{ id: 'a', trigger: 'interval', func }, /found 0 seconds/],
    [{ ...interval, seconds: -1 }, /seconds: expected a number of 0 or more, found -1/],
    [{ ...interval, seconds: '5' }, /seconds: expected a number of 0 or more, found 5/],
    [{ ...interval, days: Infinity }, /days: .*found Infinity/],
    [{ ...interval, days: 4000 }, /at most 10 years/],
    [{ ...cron, cron: undefined }, /cron: expected 5 fields .*, or 6 .*found undefined/],
    [{ ...cron, cron: '61 * * * *' }, /cron: .*"61 \* \* \* \*" \(Invalid value for minute: 61\)/],
    [{ ...cron, cron: '* * *' }, /cron: .*"\* \* \*" with 3/],
    [{ ...cron, cron: '* * * * * * *' }, /with 7/],
    [{ ...cron, cron: '2030-01-01T00:00:00' }, /with 1/],
    [{ ...cron, cron: 'x y z a b' }, /cron: /],
    [{ ...cron, cron: '0 0 30 2 *' }, /cron: expected an expression that fires at some time, found "0 0 30 2 \*", which never does/],
    [{ ...cron, timezone: 'Mars/Olympus' }, /timezone: expected an IANA name .*found Mars\/Olympus/],
    [{ ...cron, timezone: '+02:00' }, /timezone: /],
    [{ ...cron, timezone: 2 }, /timezone: .*found 2/],
    [{ ...date, runDate: 'tomorrow' }, /runDate: expected a Date, or a text such as .*found tomorrow/],
    [{ ...date, runDate: '2030-02-30' }, /runDate: .*found 2030-02-30/],
    [{ ...date, runDate: '2030-13-01' }, /runDate: /],
    [{ ...date, runDate: new Date(Number.NaN) }, /runDate: .*an invalid Date/],
    [{ ...date, runDate: 5 }, /runDate: .*found 5/],
    [{ ...interval, func: 'cleanup' }, /func: expected a function.*found cleanup/],
    [{ ...interval, args: 'x' }, /args: expected a list/],
    [{ ...interval, args: [1n] }, /args\/0: expected a JSON value, found a BigInt/],
    [{ ...interval, missed: 'never' }, /missed: expected 'once', 'skip' or 'all', found never/],
    [{ ...interval, jitter: -1 }, /jitter: .*found -1/],
    [{ ...interval, replaceExisting: 'yes' }, /replaceExisting: expected true or false, found yes/],
  ] as const) {
    assert.throws(() => parse(definition), { code: 'schedule_invalid', message })
  }
  assert.throws(() => parse(interval, true, null), {
    code: 'schedule_invalid',
    message: /func: expected a method of the plugin.*found a function without a name/,
  })
})

test('whatever it is given, it throws nothing but schedule_invalid', () => {
  const field = fc.constantFrom('id', 'trigger', 'seconds', 'cron', 'timezone', 'runDate', 'args', 'missed', 'jitter', 'replaceExisting')
  const value = fc.oneof(fc.anything(), fc.string(), fc.constantFrom('interval', 'cron', 'date', '* * * * *', 5))
  fc.assert(
    fc.property(fc.dictionary(field, value), fc.constantFrom('interval', 'cron', 'date'), (definition, trigger) => {
      try {
        parse({ id: 'a', trigger, func, ...definition })
      } catch (thrown) {
        assert.ok(thrown instanceof XCoreError && thrown.code === 'schedule_invalid', String(thrown))
      }
    }),
    { numRuns: 500 },
  )
})
