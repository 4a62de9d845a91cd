import assert from 'node:assert/strict'
import { mkdir, mkdtempDisposable, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { discoverPlugin, discoverPlugins } from './discover.ts'
import { readManifest } from './read.ts'

const MINIMAL = (name: string) => `name: ${name}\nversion: 1.0.0\n`

/** A temporary folder with these files. */
async function folderWith(files: Record<string, string | Uint8Array>) {
  const folder = await mkdtempDisposable(join(tmpdir(), 'xcore-plugins-'))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder.path, path)), { recursive: true })
    await writeFile(join(folder.path, path), content)
  }
  return folder
}

describe('discoverPlugins', () => {
  test('lists good and bad plugins by folder, and passes over the rest', async () => {
    await using root = await folderWith({
      'b/plugin.yaml': MINIMAL('bee'),
      'b/src/main.ts': '',
      'a/plugin.json': '{"name": "ay", "version": "1.0.0"}',
      'a/src/main.mjs': '',
      'c/plugin.yaml': 'name: 5\n',
      'notes/readme.md': '',
      '.hidden/plugin.yaml': MINIMAL('hidden'),
      'node_modules/plugin.yaml': MINIMAL('modules'),
      'plugin.yaml': MINIMAL('not-a-folder'),
    })
    const found = await discoverPlugins(root.path)
    assert.deepEqual(
      found.map((plugin) =>
        plugin.ok ? [plugin.folder, plugin.manifest.name, plugin.manifest.entryPoint] : [plugin.folder, plugin.name, plugin.error.code],
      ),
      [
        [join(root.path, 'a'), 'ay', 'src/main.mjs'],
        [join(root.path, 'b'), 'bee', 'src/main.ts'],
        [join(root.path, 'c'), 'c', 'manifest_invalid'],
      ],
    )
  })

  test('refuses the second of two with one name', async () => {
    await using root = await folderWith({
      'two/plugin.yaml': MINIMAL('same'),
      'two/src/main.ts': '',
      'one/plugin.yaml': MINIMAL('same'),
      'one/src/main.ts': '',
    })
    const [first, second] = await discoverPlugins(root.path)
    assert.ok(first?.ok)
    assert.ok(second !== undefined && !second.ok)
    assert.equal(second.name, 'same')
    assert.equal(second.error.code, 'plugin_duplicate')
    assert.match(second.error.message, /^plugin\.yaml:1: the name same of the plugin in folder two is taken by the one in one;/)
  })

  test('a directory that is not there is empty; a file in its place is an error', async () => {
    await using root = await folderWith({ file: '' })
    assert.deepEqual(await discoverPlugins(join(root.path, 'nowhere')), [])
    await assert.rejects(discoverPlugins(join(root.path, 'file')), { code: 'config_invalid', message: /plugins\.dir/ })
  })

  test('follows a linked folder', async () => {
    await using elsewhere = await folderWith({ 'plugin.yaml': MINIMAL('linked'), 'src/main.ts': '' })
    await using root = await folderWith({})
    await symlink(elsewhere.path, join(root.path, 'link'))
    await symlink(join(root.path, 'gone'), join(root.path, 'dangling'))
    const found = await discoverPlugins(root.path)
    assert.deepEqual(
      found.map((plugin) => plugin.ok && plugin.manifest.name),
      ['linked'],
    )
  })
})

describe('one folder', () => {
  const refused = async (files: Record<string, string | Uint8Array>): Promise<string> => {
    await using folder = await folderWith(files)
    const plugin = await discoverPlugin(folder.path)
    assert.ok(plugin !== undefined && !plugin.ok)
    assert.equal(plugin.error.code, 'manifest_invalid')
    return plugin.error.message
  }

  test('may have only one manifest', async () => {
    assert.match(await refused({ 'plugin.yaml': MINIMAL('x'), 'plugin.json': '{}' }), /found plugin\.yaml and plugin\.json; remove one/)
  })

  test('a plugin.yml is told its right name', async () => {
    assert.match(await refused({ 'plugin.yml': MINIMAL('x') }), /rename the file/)
  })

  test('needs its entry file', async () => {
    assert.match(await refused({ 'plugin.yaml': MINIMAL('x') }), /expected the file src\/main\.ts or src\/main\.js or src\/main\.mjs/)
    assert.match(
      await refused({ 'plugin.yaml': `${MINIMAL('x')}entry_point: a.ts`, 'src/main.ts': '' }),
      /^plugin\.yaml:3: entry_point: expected the file a\.ts/,
    )
    assert.match(await refused({ 'plugin.yaml': MINIMAL('x'), 'src/main.py': '' }), /Python plugins do not run here/)
    assert.match(await refused({ 'plugin.yaml': MINIMAL('x'), 'src/main.ts/index.ts': '' }), /found none/)
  })

  test('its entry file may not be a link to the outside', async () => {
    await using outside = await folderWith({ 'main.ts': '' })
    await using folder = await folderWith({ 'plugin.yaml': `${MINIMAL('x')}entry_point: main.ts` })
    await symlink(join(outside.path, 'main.ts'), join(folder.path, 'main.ts'))
    await assert.rejects(readManifest(folder.path), { code: 'manifest_invalid' })
  })

  test('its manifest must be a small file of text', async () => {
    assert.match(await refused({ 'plugin.yaml': new Uint8Array([0x6e, 0xff, 0xfe]) }), /expected UTF-8 text/)
    assert.match(await refused({ 'plugin.yaml': 'x'.repeat(300_000) }), /at most 262144 bytes, found 300000/)
    assert.match(await refused({ 'plugin.yaml/file': '' }), /expected a plain file/)
  })

  test('without a manifest is nothing to discover, and an error to read', async () => {
    await using folder = await folderWith({})
    assert.equal(await discoverPlugin(folder.path), undefined)
    await assert.rejects(readManifest(folder.path), { code: 'manifest_invalid', message: /found neither/ })
  })
})
