import semver from 'semver'
import { XCoreError } from '../errors/index.ts'
import { circles } from './circles.ts'
import { positionOf, type Manifest } from './manifest.ts'

export interface PluginOrder {
  /** What may load, each after everything it requires. The same for the same set, whatever the order it came in. */
  readonly order: readonly Manifest[]
  /** Why the others may not, by name: `plugin_incompatible`, `dependency_missing`, `dependency_cycle`. */
  readonly refused: ReadonlyMap<string, XCoreError>
}

/**
 * Orders plugins by what they require (Kahn, ties by name). A plugin that can't load takes with it everything that
 * requires it, directly or not; all others stay. Names must be unique: `discoverPlugins` sees to that. Pure.
 */
export function orderPlugins(manifests: readonly Manifest[], frameworkVersion: string): PluginOrder {
  const sorted = manifests.toSorted(byName)
  const present = new Map(sorted.map((manifest) => [String(manifest.name), manifest]))
  const refused = new Map<string, XCoreError>()
  for (const manifest of sorted) {
    const error = incompatible(manifest, frameworkVersion) ?? unmet(manifest, present)
    if (error !== undefined) refused.set(manifest.name, error)
  }
  for (const { members, wayFrom } of circles(sorted.filter((manifest) => !refused.has(manifest.name)))) {
    for (const name of members) refused.set(name, inCircle(name, members, wayFrom(name)))
  }
  refuseDependents(sorted, refused)
  return { order: kahn(sorted.filter((manifest) => !refused.has(manifest.name))), refused }
}

function byName(a: Manifest, b: Manifest): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}

function incompatible(manifest: Manifest, frameworkVersion: string): XCoreError | undefined {
  if (semver.satisfies(frameworkVersion, manifest.frameworkVersion, { includePrerelease: true })) return undefined
  return new XCoreError(
    'plugin_incompatible',
    `${positionOf(manifest, '/framework_version')}: plugin ${manifest.name} wants XCore ${manifest.frameworkVersion}, this is ${frameworkVersion}; ` +
      'use a version of the plugin made for it, or widen framework_version',
  )
}

function unmet(manifest: Manifest, present: ReadonlyMap<string, Manifest>): XCoreError | undefined {
  for (const [index, { name, version }] of manifest.requires.entries()) {
    const where = positionOf(manifest, `/requires/${index}`)
    const dependency = present.get(name)
    if (dependency === undefined) {
      return new XCoreError(
        'dependency_missing',
        `${where}: plugin ${manifest.name} requires ${name}, which is not here; add it to the plugins folder`,
        {
          details: { dependency: name },
        },
      )
    }
    if (version !== null && !semver.satisfies(dependency.version, version)) {
      return new XCoreError(
        'plugin_incompatible',
        `${where}: plugin ${manifest.name} requires ${name} ${version}, found ${dependency.version}; use a matching version, or widen the range`,
        { details: { dependency: name } },
      )
    }
  }
  return undefined
}

function inCircle(name: string, members: readonly string[], way: readonly string[]): XCoreError {
  const message = `plugin ${name} is in a circle of requires: ${way.join(' -> ')}; break it, for instance with events between them`
  return new XCoreError('dependency_cycle', message, { details: { members } })
}

/** Spreads refusals to dependents; each message names the direct cause and the root of it. */
function refuseDependents(sorted: readonly Manifest[], refused: Map<string, XCoreError>): void {
  const rootOf = new Map([...refused.keys()].map((name) => [name, name]))
  for (let changed = true; changed;) {
    changed = false
    for (const manifest of sorted) {
      if (refused.has(manifest.name)) continue
      const index = manifest.requires.findIndex(({ name }) => refused.has(name))
      const direct = manifest.requires[index]
      if (direct === undefined) continue
      const root = rootOf.get(direct.name) ?? direct.name
      const cause = refused.get(root)
      const through = root === direct.name ? '' : ` because of ${root}`
      refused.set(
        manifest.name,
        new XCoreError(
          'dependency_missing',
          `${positionOf(manifest, `/requires/${index}`)}: plugin ${manifest.name} requires ${direct.name}, which was refused${through} (${cause?.message ?? 'no cause'})`,
          { details: { dependency: direct.name, root }, cause },
        ),
      )
      rootOf.set(manifest.name, root)
      changed = true
    }
  }
}

function kahn(sorted: readonly Manifest[]): Manifest[] {
  const waitsFor = new Map(sorted.map((manifest) => [String(manifest.name), new Set(manifest.requires.map(({ name }) => String(name)))]))
  const order: Manifest[] = []
  let waiting = sorted
  while (waiting.length > 0) {
    // The whole front of plugins that wait for nothing, by name.
    const ready = waiting.filter((manifest) => waitsFor.get(manifest.name)?.size === 0)
    if (ready.length === 0) throw new XCoreError('internal_error', 'a circle of plugins was not refused before they were ordered')
    order.push(...ready)
    waiting = waiting.filter((manifest) => waitsFor.get(manifest.name)?.size !== 0)
    for (const manifest of waiting) for (const { name } of ready) waitsFor.get(manifest.name)?.delete(name)
  }
  return order
}
