import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { minVersion } from 'semver'
import { XCoreError } from '../../../errors/index.ts'
import { PLUGIN_NAME } from '../../../manifest/index.ts'
import type { Manifest } from '../../../manifest/index.ts'
import type { OtherPlugin, StubHandler } from '../port.ts'

/** Where the entry files of stand-ins find what they do. */
const STUBS = Symbol.for('xcore.testing.stubs')
type Stubs = Map<string, Readonly<Record<string, StubHandler>>>

/** The folder of plugins that the host of one test loads: links to real plugins, and stand-ins. */
export interface PluginsFolder extends AsyncDisposable {
  readonly path: string
}

export async function pluginsFolder(
  folder: string,
  manifest: Manifest,
  others: Readonly<Record<string, OtherPlugin>>,
): Promise<PluginsFolder> {
  const path = await mkdtemp(join(tmpdir(), 'xcore-test-'))
  const ids: string[] = []
  try {
    await symlink(resolve(folder), join(path, basename(resolve(folder))), 'junction')
    for (const [name, other] of Object.entries(others)) {
      if (typeof other === 'string') await symlink(resolve(other), join(path, `other-${name}`), 'junction')
      else ids.push(await writeStub(join(path, `stub-${name}`), name, versionFor(manifest, name), other))
    }
  } catch (thrown) {
    await rm(path, { recursive: true, force: true })
    throw thrown
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      for (const id of ids) stubs().delete(id)
      await rm(path, { recursive: true, force: true })
    },
  }
}

function versionFor(manifest: Manifest, name: string): string {
  const range = manifest.requires.find((required) => required.name === name)?.version ?? null
  return (range === null ? null : minVersion(range)?.version) ?? '1.0.0'
}

/** A real plugin, so that permissions, callers and jobs work as they do for any other. */
async function writeStub(folder: string, name: string, version: string, actions: Readonly<Record<string, StubHandler>>): Promise<string> {
  if (!PLUGIN_NAME.test(name)) {
    throw new XCoreError('bad_request', `loadPlugin: plugins: expected a plugin's name such as billing, found ${JSON.stringify(name)}`)
  }
  const id = folder
  stubs().set(id, actions)
  await mkdir(join(folder, 'src'), { recursive: true })
  await writeFile(join(folder, 'plugin.yaml'), `name: ${name}\nversion: ${version}\n`)
  await writeFile(join(folder, 'src/main.mjs'), entryOf(id))
  return id
}

function entryOf(id: string): string {
  return `import { TrustedBase, error } from '@xcore/sdk'
export default class Stub extends TrustedBase {
  handle(name, payload) {
    const actions = globalThis[Symbol.for('xcore.testing.stubs')].get(${JSON.stringify(id)})
    return Object.hasOwn(actions, name) ? actions[name](payload) : error('The stand-in has no action ' + name, { code: 'unknown_action' })
  }
}
`
}

function stubs(): Stubs {
  const known: unknown = Reflect.get(globalThis, STUBS)
  if (known instanceof Map) return known
  const made: Stubs = new Map()
  Reflect.set(globalThis, STUBS, made)
  return made
}
