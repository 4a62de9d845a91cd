import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { XCoreError } from '../../errors/index.ts'
import { matchGlob } from '../../event-log/glob.ts'
import { parseManifest, type Permission } from '../../manifest/index.ts'
import { compileRules, remembered, type Decision, type PermissionVerb } from './decide.ts'
import { createPermissions, type Denial } from './permissions.ts'

const VERBS: readonly PermissionVerb[] = ['read', 'write', 'execute', 'emit', 'subscribe']
const verb = fc.constantFrom(...VERBS)
const text = fc.string({ unit: fc.constantFrom('d', 'b', '.', ':', 'x'), minLength: 1, maxLength: 6 })
const glob = fc.string({ unit: fc.constantFrom('d', 'b', '.', ':', '*', '?', 'x'), minLength: 1, maxLength: 6 })
const rule: fc.Arbitrary<Permission> = fc.record({
  resource: glob,
  actions: fc.oneof(fc.constant(['*' as const]), fc.uniqueArray(verb, { minLength: 1 })),
  effect: fc.constantFrom('allow', 'deny'),
})

/** The rule as the docs state it, one at a time. */
function model(rules: readonly Permission[], resource: string, wanted: PermissionVerb): Decision {
  for (const { resource: pattern, actions, effect } of rules) {
    if ((actions.includes('*') || actions.includes(wanted)) && matchGlob(pattern, resource)) return effect
  }
  return 'unsaid'
}

describe('rules', () => {
  test('the first that matches decides, remembered or not', () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 6 }), fc.array(fc.tuple(text, verb), { maxLength: 20 }), (rules, asked) => {
        const decide = compileRules(rules, 'trusted')
        const memory = remembered(decide)
        for (const [resource, wanted] of [...asked, ...asked]) {
          assert.equal(decide(resource, wanted), model(rules, resource, wanted))
          assert.equal(memory(resource, wanted), model(rules, resource, wanted))
        }
      }),
    )
  })

  test('what comes after a rule that matches everything changes nothing', () => {
    fc.assert(
      fc.property(fc.array(rule), fc.constantFrom('allow', 'deny'), fc.array(rule), text, verb, (head, effect, tail, resource, wanted) => {
        const all: Permission = { resource: '*', actions: ['*'], effect }
        const short = compileRules([...head, all], 'sandboxed')
        const long = compileRules([...head, all, ...tail], 'sandboxed')
        assert.equal(short(resource, wanted), long(resource, wanted))
        assert.notEqual(short(resource, wanted), 'unsaid')
      }),
    )
  })

  test('no block: everything for trusted and legacy, nothing for sandboxed; an empty block: nothing for all', () => {
    fc.assert(
      fc.property(text, verb, (resource, wanted) => {
        assert.equal(compileRules(null, 'trusted')(resource, wanted), 'allow')
        assert.equal(compileRules(null, 'legacy')(resource, wanted), 'allow')
        assert.equal(compileRules(null, 'sandboxed')(resource, wanted), 'deny')
        assert.equal(compileRules([], 'trusted')(resource, wanted), 'unsaid')
      }),
    )
  })

  test('patterns that make regular expressions explode cost a fixed number of steps', () => {
    const decide = compileRules([{ resource: '*a'.repeat(120), actions: ['*'], effect: 'allow' }], 'trusted')
    assert.equal(decide(`${'a'.repeat(20_000)}b`, 'read'), 'unsaid')
  })
})

describe('permissions of a manifest', () => {
  function of(yaml: string) {
    const denials: Denial[] = []
    const manifest = parseManifest(`name: orders\nversion: 1.0.0\n${yaml}`)
    return { permissions: createPermissions(manifest, (denial) => denials.push(denial)), denials }
  }

  test('the block of the guide: db read and write, cache read', () => {
    const { permissions, denials } = of(
      'permissions:\n  - {resource: "db.*", actions: [read, write], effect: allow}\n  - {resource: "cache.*", actions: [read]}\n',
    )
    permissions.check('db.orders', 'read')
    permissions.check('db.orders', 'write')
    permissions.check('cache.user:1', 'read')
    permissions.checkUnlessUnsaid('service:db', 'execute')
    assert.throws(
      () => permissions.check('cache.user:1', 'write'),
      (thrown: unknown) =>
        thrown instanceof XCoreError &&
        thrown.code === 'permission_denied' &&
        /plugin orders may not write cache\.user:1.*plugin\.yaml.*\{resource: "cache\.user:1", actions: \[write\], effect: allow\}/.test(
          thrown.message,
        ),
    )
    assert.deepEqual(denials, [{ resource: 'cache.user:1', verb: 'write' }])
  })

  test('asking records nothing; a said denial closes a door too', () => {
    const { permissions, denials } = of('permissions: [{resource: "service:db", effect: deny}]\n')
    assert.equal(permissions.allows('cache.a', 'read'), false)
    assert.deepEqual(denials, [])
    assert.throws(() => permissions.checkUnlessUnsaid('service:db', 'execute'), { code: 'permission_denied' })
    assert.deepEqual(denials, [{ resource: 'service:db', verb: 'execute' }])
  })

  test('a check of something asked before takes at most 1 µs', () => {
    const { permissions } = of(
      `permissions: [${Array.from({ length: 30 }, (_, n) => `{resource: "cache.${n}*"}`).join(', ')}, {resource: "db.*"}]\n`,
    )
    const resources = Array.from({ length: 100 }, (_, n) => `db.schema_${n}`)
    const round = (times: number) => {
      const started = process.hrtime.bigint()
      for (let n = 0; n < times; n += 1) permissions.check(resources[n % 100] ?? '', 'read')
      return Number(process.hrtime.bigint() - started) / times
    }
    round(100_000)
    const best = Math.min(...Array.from({ length: 5 }, () => round(100_000)))
    assert.ok(best <= 1000, `took ${best} ns`)
  })
})
