import assert from 'node:assert/strict'
import { cp, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { testDatabase } from '../../libs/postgres/testing/index.ts'
import { startCli, testFolder } from '../cli-process.ts'

const ROOT = join(import.meta.dirname, '../..')

test('the module of docs/tracing.md makes XCore print its spans', async () => {
  const page = await readFile(join(ROOT, 'docs/tracing.md'), 'utf8')
  const snippet = /^```js\n(.*?)^```$/ms.exec(page)?.[1] ?? ''
  await using folder = await testFolder()
  await using database = await testDatabase()
  await folder.write({ 'tracing.mjs': snippet })
  await symlink(join(ROOT, 'node_modules'), join(folder.path, 'node_modules'))
  await cp(join(ROOT, 'plugins/hello'), join(folder.path, 'plugins/hello'), { recursive: true })
  const env = { DATABASE_URL: database.url, XCORE_HTTP_PORT: '0', NODE_OPTIONS: `--import ${join(folder.path, 'tracing.mjs')}` }
  await using xcore = await startCli(['start'], { cwd: folder.path, env })
  const response = await fetch(`${xcore.url}/ipc/hello/greet`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'wait=20' },
    body: '{"payload": {"name": "Ada"}}',
  })
  assert.equal(response.status, 200, await response.text())
  for (const name of ['POST /ipc/:plugin/:action', 'send hello', 'process hello'])
    await xcore.line((line) => line.includes(`name: '${name}'`))
})
