import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { matchGlob } from '../../../event-log/glob.ts'
import { compileRules } from '../../../plugin-host/permissions/decide.ts'
import { PluginCache } from '../cache.ts'
import type { CacheStore } from '../port.ts'

export interface CacheContractSetup {
  readonly name: string
  /** Called once for the suite. `undefined`: cannot be run here; `leftOut` says why. */
  open(): Promise<{ readonly store: CacheStore; close(): Promise<void> } | undefined>
  readonly leftOut?: string
  /** Resolves when so much time has passed for the store. */
  pass(milliseconds: number): Promise<void>
}

/** What `getService('cache')` promises, on any store. */
export function cacheContract(setup: CacheContractSetup): void {
  describe(`cache in ${setup.name}`, async () => {
    const opened = await setup.open()
    if (opened === undefined) {
      test('the whole suite', { skip: setup.leftOut ?? 'cannot be run here' }, () => {})
      return
    }
    const { store, close } = opened
    let plugins = 0
    const everything = { check: () => {}, allows: () => true }
    const fresh = () => new PluginCache({ plugin: `plugin-${++plugins}`, store, permissions: everything })

    // Hooks of a suite that awaited run too early for what it opened.
    test('the suite', async (t) => {
      t.after(close)
      await t.test('set, get, exists and delete', async () => {
        const cache = fresh()
        assert.equal(await cache.get('a'), null)
        assert.equal(await cache.exists('a'), false)
        assert.equal(await cache.delete('a'), false)
        await cache.set('a', { n: 1 })
        assert.deepEqual(await cache.get('a'), { n: 1 })
        assert.equal(await cache.exists('a'), true)
        await cache.set('a', [2])
        assert.deepEqual(await cache.get('a'), [2])
        assert.equal(await cache.delete('a'), true)
        assert.equal(await cache.delete('a'), false)
        assert.equal(await cache.get('a'), null)
        await cache.set('none', null)
        assert.equal(await cache.get('none'), null)
        assert.equal(await cache.exists('none'), true)
      })

      await t.test('any JSON comes back as it was, under any key', async () => {
        const cache = fresh()
        const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }).filter((text) => !text.includes('\u0000'))
        await fc.assert(
          fc.asyncProperty(key, fc.json(), async (name, text) => {
            if (/\\u0000|__proto__/.test(text) || !text.isWellFormed() || /\\ud[89a-f]/i.test(text)) return
            const value: unknown = JSON.parse(text)
            await cache.set(name, value)
            assert.deepEqual(await cache.get(name), JSON.parse(JSON.stringify(value)))
            assert.deepEqual(await cache.mget([name]), Object.fromEntries([[name, JSON.parse(JSON.stringify(value))]]))
          }),
          { numRuns: 50 },
        )
      })

      await t.test('an entry is gone when its time is up, the next set starts anew', async () => {
        const cache = fresh()
        await cache.set('short', 1, { ttl: 0.05 })
        await cache.set('long', 1)
        await cache.set('again', 1, { ttl: 0.05 })
        await cache.set('again', 2, { ttl: 60 })
        await setup.pass(80)
        assert.deepEqual([await cache.get('short'), await cache.exists('short'), await cache.delete('short')], [null, false, false])
        assert.deepEqual(await cache.mget(['short', 'long', 'again']), { long: 1, again: 2 })
        assert.deepEqual(await cache.keys(), ['again', 'long'])
      })

      await t.test('plugins do not see each other, also with keys that look like another’s', async () => {
        const [one, other] = [fresh(), fresh()]
        await one.set('a', 1)
        await other.set('a', 2)
        await other.set(`:plugin-${plugins - 1}:a`, 3)
        assert.equal(await one.get('a'), 1)
        await other.clear()
        assert.deepEqual([await one.keys(), await other.keys()], [['a'], []])
      })

      await t.test('keys(glob) as the matcher says', async () => {
        const cache = fresh()
        const names = ['user:1', 'user:2', 'user:10', 'order:1', '*', '[x]', 'a\\b']
        await cache.mset(Object.fromEntries(names.map((name) => [name, name])))
        for (const glob of ['*', 'user:*', 'user:?', '[ou]*:1', '[*]', '[[]x]', 'a\\b', 'none']) {
          assert.deepEqual(await cache.keys(glob), names.filter((name) => matchGlob(glob, name)).sort(), glob)
        }
        await assert.rejects(cache.keys(''), { code: 'bad_request' })
        await assert.rejects(cache.keys('[a'), { code: 'bad_request', message: /closes the "\["/ })
      })

      await t.test('mset and mget', async () => {
        const cache = fresh()
        const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`k${n}`, n]))
        await cache.mset(many, { ttl: 60 })
        assert.deepEqual(await cache.mget([...Object.keys(many), 'k1', 'none'].slice(1)), without(many, 'k0'))
        assert.deepEqual(await cache.mget([]), {})
        await cache.mset({})
        await assert.rejects(cache.mget([...Object.keys(many), 'one more']), {
          code: 'bad_request',
          message: /at most 1000 keys, found 1001/,
        })
        await assert.rejects(cache.mset({ ok: 1, bad: () => 1 }), { code: 'bad_request' })
        assert.equal(await cache.exists('ok'), false)
      })

      await t.test('getOrSet makes a value once for all who ask together', async () => {
        const cache = fresh()
        let made = 0
        const release = Promise.withResolvers<void>()
        const make = async () => {
          made++
          await release.promise
          return { n: made, at: new Date(0) }
        }
        const asking = Array.from({ length: 20 }, () => cache.getOrSet('k', make))
        release.resolve()
        const answers = await Promise.all(asking)
        assert.equal(made, 1)
        assert.deepEqual(answers[19], { n: 1, at: '1970-01-01T00:00:00.000Z' })
        assert.notEqual(answers[0], answers[1])
        assert.deepEqual(await cache.getOrSet('k', make), answers[0])
        assert.equal(made, 1)
        await assert.rejects(
          cache.getOrSet('f', () => Promise.reject(new RangeError('no'))),
          RangeError,
        )
        assert.equal(await cache.getOrSet('f', () => 7), 7)
        await cache.set('null', null)
        assert.equal(await cache.getOrSet('null', () => 8), null)
      })

      await t.test('what is no JSON, no key or no time to live is refused with its place', async () => {
        const cache = fresh()
        const cycle: Record<string, unknown> = {}
        cycle['self'] = cycle
        for (const [value, message] of [
          [undefined, /value of "k": expected a JSON value, found undefined/],
          [{ a: [() => 1] }, /value of "k"\/a\/0: expected a JSON value, found a function/],
          [{ n: 1n }, /found a BigInt/],
          [cycle, /found a cycle/],
          [new Map(), /found a Map/],
          [Number.NaN, /found NaN/],
        ] as const) {
          await assert.rejects(cache.set('k', value), { code: 'bad_request', message })
          await assert.rejects(
            cache.getOrSet('k', () => value),
            { code: 'bad_request' },
          )
        }
        for (const key of ['', 'x'.repeat(513), 'a\u0000b', '\ud800']) await assert.rejects(cache.set(key, 1), { code: 'bad_request' }, key)
        await cache.set('x'.repeat(512), 1)
        for (const ttl of [0, -1, Number.NaN, Infinity, 1e9]) await assert.rejects(cache.set('k', 1, { ttl }), { code: 'bad_request' })
        assert.equal(await cache.exists('k'), false)
      })

      await t.test('a value of 1 MiB fits, one byte more does not', async () => {
        const cache = fresh()
        const mebibyte = 1024 * 1024
        await cache.set('k', 'x'.repeat(mebibyte - 2))
        assert.equal((await cache.get<string>('k'))?.length, mebibyte - 2)
        for (const value of [
          'x'.repeat(mebibyte - 1),
          '"'.repeat(mebibyte / 2),
          '\u00e9'.repeat(mebibyte / 2),
          new Array(300_000).fill(0.12),
        ]) {
          await assert.rejects(cache.set('k', value), { code: 'payload_too_large', message: /at most 1048576 bytes/ })
        }
      })

      await t.test('each use needs the permission for its key', async () => {
        const decide = compileRules(
          [
            { resource: 'cache.secret:*', actions: ['*'], effect: 'deny' },
            { resource: 'cache.*', actions: ['read'], effect: 'allow' },
            { resource: 'cache.own:*', actions: ['write'], effect: 'allow' },
          ],
          'trusted',
        )
        const refused: string[] = []
        const cache = new PluginCache({
          plugin: `plugin-${++plugins}`,
          store,
          permissions: {
            allows: (resource, verb) => decide(resource, verb) === 'allow',
            check(resource, verb) {
              if (decide(resource, verb) === 'allow') return
              refused.push(`${verb} ${resource}`)
              throw new Error('denied')
            },
          },
        })
        await cache.set('own:1', 1)
        assert.equal(await cache.get('own:1'), 1)
        await store.set(`plugin-${plugins}`, [{ key: 'secret:1', value: '1' }], 60_000)
        assert.deepEqual(await cache.keys(), ['own:1'])
        await assert.rejects(cache.get('secret:1'))
        await assert.rejects(cache.mget(['own:1', 'secret:1']))
        await assert.rejects(cache.set('other', 1))
        await assert.rejects(cache.mset({ 'own:2': 1, other: 1 }))
        await assert.rejects(cache.clear())
        await assert.rejects(cache.getOrSet('other', () => 1))
        assert.deepEqual(refused, [
          'read cache.secret:1',
          'read cache.secret:1',
          'write cache.other',
          'write cache.other',
          'write cache.*',
          'write cache.other',
        ])
        assert.equal(await cache.exists('own:2'), false)
      })
    })
  })
}

function without(values: Readonly<Record<string, number>>, key: string): Record<string, number> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => name !== key))
}
