import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { testDatabase } from '../libs/postgres/testing/index.ts'
import { runCli, startCli, testFolder } from './cli-process.ts'

test('a new plugin passes its own test at once: alone, and as a running XCore has it; what breaks its callers is listed', async () => {
  await using folder = await testFolder()
  await using database = await testDatabase()
  const cli = (args: readonly string[], env = {}) => runCli(args, { cwd: folder.path, env })
  for (const args of [
    ['demo', '--routes'],
    ['boxed', '--sandboxed'],
  ]) {
    const made = await cli(['plugin', 'init', ...args])
    assert.equal(made.code, 0, made.stderr)
    const tested = await cli(['plugin', 'test', args[0] ?? ''])
    assert.equal(tested.code, 0, tested.stdout + tested.stderr)
  }
  assert.equal((await cli(['plugin', 'init', 'demo'])).code, 1)
  assert.equal((await cli(['plugin', 'init', 'No Name'])).code, 2)
  assert.equal((await cli(['plugin', 'validate', 'demo'])).code, 0)

  const main = join(folder.path, 'plugins/demo/src/main.ts')
  const old = await cli(['plugin', 'schema', 'demo'])
  await writeFile(join(folder.path, 'old.json'), old.stdout)
  const env = { DATABASE_URL: database.url, XCORE_HTTP_PORT: '0' }
  await using xcore = await startCli(['start'], { cwd: folder.path, env })
  const remote = await cli(['plugin', 'test', 'demo', '--url', xcore.url])
  assert.equal(remote.code, 0, remote.stdout + remote.stderr)

  await writeFile(main, (await readFile(main, 'utf8')).replace('minLength: 1', 'minLength: 2'))
  for (const against of ['old.json', '0.1.0', 'plugins/boxed']) {
    const found = await cli(['plugin', 'validate', 'demo', '--against', against], { XCORE_URL: xcore.url })
    assert.equal(found.code, 1, against)
    assert.match(found.stderr, /demo 0\.1\.0 breaks 1 thing of .*\n {2}greet input \/name: minLength: was 1, is 2/)
  }
  const unknown = await cli(['plugin', 'validate', 'demo', '--against', '9.0.0'], { XCORE_URL: xcore.url })
  assert.match(unknown.stderr, /has not seen version 9\.0\.0 of demo; it knows: 0\.1\.0/)
  assert.equal((await cli(['plugin', 'validate', 'demo', '--against', 'plugins/demo'])).code, 0)
})
