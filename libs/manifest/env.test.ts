import assert from 'node:assert/strict'
import { mkdir, mkdtempDisposable, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { XCoreError } from '../errors/index.ts'
import { readPluginEnv, resolveEnv } from './env.ts'
import { parseManifest } from './parse.ts'

const withEnv = (env: Record<string, string>, more = '') => parseManifest(`name: x\nversion: 1.0.0\nenv: ${JSON.stringify(env)}\n${more}`)

describe('resolveEnv', () => {
  test('takes literals and variables of the host, also inside a longer string', () => {
    const manifest = withEnv({ PLAIN: 'a $b {c}', KEY: '${KEY}', URL: 'http://${HOST}:${PORT}/', DOUBLE: '$${KEY}', EMPTY: '${NOTHING}' })
    assert.deepEqual(
      { ...resolveEnv(manifest, { KEY: 'k', HOST: 'h', PORT: '1', NOTHING: '', OTHER: 'hidden' }) },
      {
        PLAIN: 'a $b {c}',
        KEY: 'k',
        URL: 'http://h:1/',
        DOUBLE: '${KEY}',
        EMPTY: '',
      },
    )
  })

  test('does not expand what a variable holds', () => {
    assert.equal(resolveEnv(withEnv({ A: '${B}' }), { B: '$& ${C} $1' })['A'], '$& ${C} $1')
  })

  test('takes the default of an unset or empty variable', () => {
    const manifest = withEnv({ A: '${A:-one two}', B: '${B:-}', C: '${C:-x}' })
    assert.deepEqual({ ...resolveEnv(manifest, { C: 'set', A: '' }) }, { A: 'one two', B: '', C: 'set' })
  })

  test('names every missing variable and its line', () => {
    const manifest = parseManifest('name: x\nversion: 1.0.0\nenv:\n  A: ${ONE}\n  B: fine\n  C: "${TWO}-${constructor}"\n')
    assert.throws(
      () => resolveEnv(manifest, {}),
      (thrown) => {
        assert.ok(thrown instanceof XCoreError)
        assert.equal(thrown.code, 'env_missing')
        assert.deepEqual(
          thrown.issues.map((issue) => issue.path),
          ['plugin.yaml:4', 'plugin.yaml:6', 'plugin.yaml:6'],
        )
        assert.match(thrown.message, /plugin\.yaml:4: env\.A of plugin x needs the variable ONE, which is not set; .*\$\{ONE:-default\}/)
        assert.match(thrown.message, /needs the variable TWO/)
        return true
      },
    )
  })
})

describe('readPluginEnv', () => {
  const INJECT = 'envconfiguration: {inject: true}'

  test('reads the dotenv file into the plugin only; the host wins for ${VAR}, the manifest over the file', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'xcore-env-'))
    await writeFile(join(folder.path, '.env'), '# comment\nFROM_FILE=1\nSHARED="of the file"\nOVER=file\n')
    const manifest = withEnv({ OVER: 'manifest', SEEN: '${SHARED}', FILE: '${FROM_FILE}' }, INJECT)
    assert.deepEqual(
      { ...(await readPluginEnv(folder.path, manifest, { SHARED: 'of the host' })) },
      {
        FROM_FILE: '1',
        SHARED: 'of the file',
        OVER: 'manifest',
        SEEN: 'of the host',
        FILE: '1',
      },
    )
    assert.equal(process.env['FROM_FILE'], undefined)
    assert.deepEqual({ ...(await readPluginEnv(folder.path, withEnv({ A: 'b' }), {})) }, { A: 'b' }, 'not read unless asked for')
  })

  test('refuses a missing file and one that leads outside', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'xcore-env-'))
    const plugin = join(folder.path, 'plugin')
    await mkdir(plugin)
    await assert.rejects(readPluginEnv(plugin, withEnv({}, INJECT), {}), {
      code: 'env_missing',
      message: /^plugin\.yaml:4: expected the file \.env/,
    })
    await writeFile(join(folder.path, 'secret'), 'A=b')
    await symlink('../secret', join(plugin, '.env'))
    await assert.rejects(readPluginEnv(plugin, withEnv({}, INJECT), {}), {
      code: 'manifest_invalid',
      message: /inside the plugin's folder/,
    })
  })
})
