import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import semver from 'semver'
import type { Manifest } from './manifest.ts'
import { orderPlugins } from './order.ts'
import { parseManifest } from './parse.ts'

interface Spec {
  readonly name: string
  readonly version?: string
  readonly framework?: string
  readonly requires?: readonly (string | { readonly name: string; readonly version: string })[]
}

function manifest({ name, version = '1.0.0', framework = '>=2.0', requires = [] }: Spec): Manifest {
  return parseManifest(JSON.stringify({ name, version, framework_version: framework, requires }, null, 1), 'plugin.json')
}

function order(...specs: Spec[]) {
  const { order: ordered, refused } = orderPlugins(specs.map(manifest), '3.0.0')
  return { names: ordered.map((plugin) => String(plugin.name)), refused }
}

describe('orderPlugins', () => {
  test('puts what is required first, ties by name', () => {
    const { names, refused } = order({ name: 'a', requires: ['c'] }, { name: 'd' }, { name: 'c' }, { name: 'b', requires: ['a', 'd'] })
    assert.deepEqual(names, ['c', 'd', 'a', 'b'])
    assert.equal(refused.size, 0)
  })

  test('refuses what misses a plugin, and its dependents with the root cause', () => {
    const { names, refused } = order(
      { name: 'a', requires: ['ghost'] },
      { name: 'b', requires: ['a'] },
      { name: 'c', requires: ['b'] },
      { name: 'd' },
    )
    assert.deepEqual(names, ['d'])
    assert.deepEqual(
      [...refused].map(([name, error]) => [name, error.code]),
      [
        ['a', 'dependency_missing'],
        ['b', 'dependency_missing'],
        ['c', 'dependency_missing'],
      ],
    )
    assert.match(refused.get('a')?.message ?? '', /^plugin\.json:6: plugin a requires ghost, which is not here/)
    assert.match(refused.get('b')?.message ?? '', /plugin b requires a, which was refused \(.*ghost/)
    assert.match(refused.get('c')?.message ?? '', /plugin c requires b, which was refused because of a \(.*ghost/)
    assert.equal(refused.get('c')?.details['root'], 'a')
    assert.equal(refused.get('c')?.cause, refused.get('a'))
  })

  test('holds versions against ranges', () => {
    const { names, refused } = order(
      { name: 'lib', version: '1.5.0' },
      { name: 'fits', requires: [{ name: 'lib', version: '^1.2' }] },
      { name: 'wants-more', requires: [{ name: 'lib', version: '>=2' }] },
      { name: 'future', framework: '>=4' },
      { name: 'past', framework: '<3' },
    )
    assert.deepEqual(names, ['lib', 'fits'])
    for (const name of ['wants-more', 'future', 'past']) assert.equal(refused.get(name)?.code, 'plugin_incompatible')
    assert.match(refused.get('wants-more')?.message ?? '', /requires lib >=2, found 1\.5\.0/)
    assert.match(refused.get('future')?.message ?? '', /wants XCore >=4, this is 3\.0\.0/)
  })

  test('a pre-release of the framework counts as its version', () => {
    const { refused } = orderPlugins([manifest({ name: 'a', framework: '>=3.1.0-0' })], '3.1.0-rc.1')
    assert.equal(refused.size, 0)
  })

  test('shows the circle, and refuses with it only who depends on it', () => {
    const { names, refused } = order(
      { name: 'a', requires: ['b', 'base'] },
      { name: 'b', requires: ['c'] },
      { name: 'c', requires: ['a'] },
      { name: 'self', requires: ['self'] },
      { name: 'user', requires: ['b'] },
      { name: 'base' },
    )
    assert.deepEqual(names, ['base'])
    assert.match(refused.get('a')?.message ?? '', /a -> b -> c -> a/)
    assert.match(refused.get('c')?.message ?? '', /c -> a -> b -> c/)
    assert.match(refused.get('self')?.message ?? '', /self -> self/)
    assert.equal(refused.get('a')?.code, 'dependency_cycle')
    assert.equal(refused.get('user')?.code, 'dependency_missing')
    assert.match(refused.get('user')?.message ?? '', /b -> c -> a -> b/)
  })

  test('takes a chain of 1500', () => {
    const specs = Array.from({ length: 1500 }, (_, index) => ({ name: `p${index}`, requires: index === 0 ? [] : [`p${index - 1}`] }))
    const { names } = order(...specs)
    assert.deepEqual(
      names,
      specs.map(({ name }) => name),
    )
  })
})

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']
const VERSIONS = ['1.0.0', '1.4.2', '2.0.0']
const RANGES = ['^1.0', '>=1.4', '2.x', '*']

const specs: fc.Arbitrary<Spec[]> = fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: NAMES.length }).chain((names) =>
  fc.tuple(
    ...names.map((name) =>
      fc.record({
        name: fc.constant(name),
        version: fc.constantFrom(...VERSIONS),
        framework: fc.oneof({ weight: 12, arbitrary: fc.constant('>=2.0') }, { weight: 1, arbitrary: fc.constant('>=9') }),
        requires: fc.array(
          fc.oneof(
            { weight: 4, arbitrary: fc.constantFrom(...NAMES) },
            { weight: 1, arbitrary: fc.record({ name: fc.constantFrom(...NAMES), version: fc.constantFrom(...RANGES) }) },
          ),
          { maxLength: 2 },
        ),
      }),
    ),
  ),
)

/** What may load, by definition: grown from nothing, one plugin whose every requirement is in already at a time. */
function loadable(manifests: readonly Manifest[]): Set<string> {
  const loaded = new Map<string, Manifest>()
  for (let grew = true; grew;) {
    grew = false
    for (const plugin of manifests) {
      if (loaded.has(plugin.name) || !semver.satisfies('3.0.0', plugin.frameworkVersion)) continue
      const met = plugin.requires.every(({ name, version }) => {
        const dependency = loaded.get(name)
        return dependency !== undefined && (version === null || semver.satisfies(dependency.version, version))
      })
      if (met) loaded.set(plugin.name, plugin)
      grew ||= met
    }
  }
  return new Set(loaded.keys())
}

describe('whatever the plugins', () => {
  test('exactly those that may load are ordered, after all they require; the others are refused', () => {
    fc.assert(
      fc.property(specs, (given) => {
        const manifests = given.map(manifest)
        const { order: ordered, refused } = orderPlugins(manifests, '3.0.0')
        const names = ordered.map((plugin) => String(plugin.name))
        assert.deepEqual(new Set(names), loadable(manifests))
        assert.equal(names.length + refused.size, manifests.length)
        for (const plugin of ordered) {
          for (const { name } of plugin.requires) assert.ok(names.indexOf(name) < names.indexOf(plugin.name))
        }
        for (const [name, error] of refused) assert.ok(error.message.includes(name))
      }),
      { numRuns: 300 },
    )
  })

  test('the order they come in changes nothing', () => {
    const shuffled = specs.chain((given) => fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length })))
    fc.assert(
      fc.property(shuffled, ([given, other]) => {
        const show = (list: readonly Spec[]) => {
          const { order: ordered, refused } = orderPlugins(list.map(manifest), '3.0.0')
          return { names: ordered.map(({ name }) => name), refused: new Map([...refused].map(([name, error]) => [name, error.message])) }
        }
        assert.deepEqual(show(other), show(given))
      }),
      { numRuns: 200 },
    )
  })
})
