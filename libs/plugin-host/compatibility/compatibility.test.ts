import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Type, type TSchema } from '@xcore/sdk'
import fc from 'fast-check'
import { Check } from 'typebox/value'
import { actionSchemasOf, breakingChanges } from './compare-actions.ts'
import { live } from '../runners/sandboxed/host/launch.ts'
import { declaredSchemas } from './declared-schemas.ts'
import { narrowings } from './narrowings.ts'

const rules = (from: TSchema, to: TSchema) => narrowings(from, to).map(({ path, rule }) => `${path} ${rule}`)
const S = Type.String()

test('the code of a sandboxed plugin is looked at in a sandbox only', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'xcore-declared-'))
  try {
    await mkdir(join(folder, 'src'))
    await writeFile(join(folder, 'plugin.yaml'), 'name: shop\nversion: 1.2.3\nexecution_mode: sandboxed\n')
    const code = `import { SandboxedBase, Type, action, ok } from '@xcore/sdk'
      globalThis.wasRunHere = true
      export default class Plugin extends SandboxedBase {
        override actions = { pid: action({ input: Type.Object({ a: Type.Literal(process.pid) }), handler: () => ok() }) }
        override onLoad() { throw new Error('no hook is run') }
      }`
    await writeFile(join(folder, 'src/main.ts'), code)
    const { plugin, version, actions } = await declaredSchemas(folder)
    assert.deepEqual([plugin, version, actions.map(({ name }) => name)], ['shop', '1.2.3', ['pid']])
    assert.equal(Reflect.get(globalThis, 'wasRunHere'), undefined)
    assert.notEqual(Object(actions[0]?.input).properties.a.const, process.pid)
    assert.equal(live.size, 0)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('what narrows a schema is named with its place', () => {
  const before = Type.Object({ a: S, b: Type.Optional(S) })
  const cases: readonly [TSchema, TSchema, readonly string[]][] = [
    [before, Type.Object({ a: S, b: S }), ['/b required']],
    [before, Type.Object({ a: S, b: Type.Optional(S), c: S }), ['/c required']],
    [before, Type.Object({ a: S, b: Type.Optional(S), c: Type.Optional(S) }), []],
    [before, Type.Object({ a: S }), []],
    [Type.Object({ a: S, b: S }, { additionalProperties: false }), Type.Object({ a: S }, { additionalProperties: false }), ['/b property']],
    [before, Type.Object({ a: S, b: Type.Optional(S) }, { additionalProperties: false }), ['/* further properties']],
    [before, Type.Object({ a: Type.Number(), b: Type.Optional(S) }), ['/a type']],
    [Type.Number(), Type.Integer(), [' type']],
    [Type.Integer(), Type.Number(), []],
    [Type.Number({ minimum: 0 }), Type.Number({ minimum: 1 }), [' minimum']],
    [Type.Number({ minimum: 1 }), Type.Number({ minimum: 0 }), []],
    [Type.Number({ exclusiveMinimum: 3 }), Type.Number({ minimum: 3 }), []],
    [Type.Number({ minimum: 3 }), Type.Number({ exclusiveMinimum: 3 }), [' exclusiveMinimum']],
    [Type.String({ maxLength: 5 }), Type.String({ maxLength: 4 }), [' maxLength']],
    [S, Type.String({ pattern: '^a' }), [' pattern']],
    [S, Type.String({ format: 'email' }), [' format']],
    [Type.Enum(['a', 'b']), Type.Enum(['a']), [' value']],
    [Type.Enum(['a']), Type.Enum(['a', 'b']), []],
    [Type.Literal('a'), S, []],
    [S, Type.Literal('a'), [' values']],
    [Type.Union([S, Type.Number()]), S, [' type']],
    [S, Type.Union([S, Type.Number()]), []],
    [S, Type.Union([Type.Boolean(), Type.Number()]), [' shape']],
    [Type.Array(S), Type.Array(Type.Number()), ['/* type']],
    [Type.Array(S), Type.Array(S, { uniqueItems: true }), [' uniqueItems']],
    [Type.Tuple([S]), Type.Tuple([S, S]), [' items', ' minItems'].toSorted()],
    [Type.Record(S, Type.Number()), Type.Record(S, Type.Integer()), ['/* type']],
    [Type.Integer({ multipleOf: 4 }), Type.Integer({ multipleOf: 2 }), []],
    [Type.Integer({ multipleOf: 3 }), Type.Integer({ multipleOf: 2 }), [' multipleOf']],
    [Type.Any(), S, [' type']],
    [S, Type.Any(), []],
    [S, Type.Never(), [' value']],
    [Type.Object({ a: Type.Object({ b: S }) }), Type.Object({ a: Type.Object({ b: Type.String({ minLength: 1 }) }) }), ['/a/b minLength']],
    [S, { ...S, contentEncoding: 'base64' }, [' contentEncoding']],
    [Type.String({ title: 'x', default: 'a' }), Type.String({ description: 'y' }), []],
  ]
  for (const [from, to, expected] of cases) {
    const found = rules(from, to)
    assert.deepEqual([...new Set(found)].toSorted(), [...expected], `${JSON.stringify(from)} → ${JSON.stringify(to)}`)
  }
})

/** Schemas with a way to make values that fit them, of known properties only. */
type Made = { readonly schema: TSchema; readonly value: fc.Arbitrary<unknown> }

const { made } = fc.letrec<{ made: Made }>((tie) => ({
  made: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.record({ min: fc.integer({ min: 0, max: 3 }), more: fc.integer({ min: 0, max: 3 }) }).map(({ min, more }): Made => ({
      schema: Type.String({ minLength: min, maxLength: min + more }),
      value: fc.string({ minLength: min, maxLength: min + more, unit: 'grapheme-ascii' }),
    })),
    fc
      .record({ min: fc.integer({ min: -3, max: 3 }), more: fc.integer({ min: 0, max: 4 }), whole: fc.boolean() })
      .map(({ min, more, whole }): Made => ({
        schema: whole ? Type.Integer({ minimum: min, maximum: min + more }) : Type.Number({ minimum: min, maximum: min + more }),
        value: whole ? fc.integer({ min, max: min + more }) : fc.double({ min, max: min + more, noNaN: true }),
      })),
    fc
      .uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 })
      .map((names): Made => ({ schema: Type.Enum(names), value: fc.constantFrom(...names) })),
    fc.constantFrom<Made>(
      { schema: Type.Boolean(), value: fc.boolean() },
      { schema: Type.Null(), value: fc.constant(null) },
      { schema: Type.Any(), value: fc.jsonValue({ maxDepth: 1 }) },
    ),
    tie('made').map(({ schema, value }): Made => ({
      schema: Type.Array(schema, { maxItems: 2 }),
      value: fc.array(value, { maxLength: 2 }),
    })),
    fc
      .tuple(tie('made'), tie('made'))
      .map(([a, b]): Made => ({ schema: Type.Union([a.schema, b.schema]), value: fc.oneof(a.value, b.value) })),
    fc
      .tuple(fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.tuple(tie('made'), fc.boolean()), { noNullPrototype: true }), fc.boolean())
      .map(([properties, closed]): Made => {
        const entries = Object.entries(properties)
        const required = entries.flatMap(([name, [, optional]]) => (optional ? [] : [name]))
        return {
          schema: Type.Object(
            Object.fromEntries(entries.map(([name, [each, optional]]) => [name, optional ? Type.Optional(each.schema) : each.schema])),
            closed ? { additionalProperties: false } : {},
          ),
          value: fc.record(Object.fromEntries(entries.map(([name, [each]]) => [name, each.value])), {
            requiredKeys: required,
            noNullPrototype: true,
          }),
        }
      }),
  ),
}))

test('property: without a reported narrowing every value of the one fits the other', () => {
  let agreed = 0
  fc.assert(
    fc.property(made, made, (from, to) => {
      if (narrowings(from.schema, to.schema).length > 0) return
      agreed += 1
      for (const value of fc.sample(from.value, 20)) {
        assert.ok(Check(to.schema, value), `${JSON.stringify(value)} fits ${JSON.stringify(from.schema)}, not ${JSON.stringify(to.schema)}`)
      }
    }),
    { numRuns: 3000 },
  )
  assert.ok(agreed > 50, `only ${agreed} pairs were compatible`)
})

test('property: a schema never narrows itself', () => {
  fc.assert(fc.property(made, ({ schema }) => assert.deepEqual(narrowings(schema, JSON.parse(JSON.stringify(schema))), [])))
})

test('actions: inputs may only widen, outputs only narrow, none may go', () => {
  const input = Type.Object({ id: S })
  const output = Type.Object({ total: Type.Integer(), note: Type.Optional(S) })
  const old = [
    { name: 'a', input, output },
    { name: 'gone', input: null },
  ]
  assert.deepEqual(breakingChanges(old, old), [])
  assert.deepEqual(
    breakingChanges(old, [{ name: 'a', input: Type.Object({ id: S, user: S }), output: Type.Object({ total: Type.Number() }) }]).map(
      ({ action, part, path, message }) => `${action} ${part} ${path}: ${message}`,
    ),
    [
      'a input /user: required: was optional, is required',
      'a output /total: type: was integer, is number',
      'gone action : was there, is gone',
    ],
  )
  assert.deepEqual(
    breakingChanges(old, [
      { name: 'a', input: Type.Object({ id: Type.Union([S, Type.Number()]) }), output },
      { name: 'gone', input: null },
      { name: 'new', input },
    ]),
    [],
  )
  assert.equal(breakingChanges([{ name: 'a', input, output }], [{ name: 'a', input }])[0]?.message, 'was declared, is no more')
  assert.deepEqual(actionSchemasOf(JSON.parse(JSON.stringify(old)))?.length, 2)
  assert.equal(actionSchemasOf([{ name: 5 }]), undefined)
  assert.equal(actionSchemasOf({}), undefined)
})
