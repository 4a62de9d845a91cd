import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { access, glob, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { testDatabase } from '../libs/postgres/testing/index.ts'
import { loadPlugin } from '../libs/sdk/testing/index.ts'

const ROOT = join(import.meta.dirname, '..')
const REGISTER = join(ROOT, 'libs/sdk/testing/register.ts')
const run = promisify(execFile)

/** Languages whose blocks are files, with the comment that names them in their first line. */
const NAMED = /^(?:#|\/\/|--) (\S+\/\S+\.\w+)\n/
const FILES = ['ts', 'yaml', 'sql']

/** The files that a page shows, by page and path. */
async function filesOf(page: string): Promise<Map<string, string>> {
  const text = await readFile(join(ROOT, page), 'utf8')
  const files = new Map<string, string>()
  for (const [, language = '', block = ''] of text.matchAll(/^```(\w+)\n(.*?)^```$/gms)) {
    if (!FILES.includes(language)) continue
    const path = NAMED.exec(block)?.[1]?.replace(/^plugins\//, '')
    assert.ok(path !== undefined, `${page}: expected a first line that names the file, found:\n${block.slice(0, 80)}`)
    assert.ok(!files.has(path), `${page}: ${path} is shown twice`)
    files.set(path, block)
  }
  return files
}

async function writeAll(folder: string, files: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const plugins = [...new Set([...files.keys()].map((path) => path.split('/')[0] ?? ''))]
  const manifests = plugins.map((name) => [`${name}/plugin.yaml`, `name: ${name}\nversion: 1.0.0\n`] as const)
  for (const [path, text] of [...manifests, ...files]) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  return plugins.map((name) => join(folder, name))
}

test('the code of the guide passes the type checker, loads, and passes its own tests', async () => {
  await using database = await testDatabase({ migrated: false })
  const folder = await mkdtemp(join(tmpdir(), 'xcore-docs-'))
  await using _gone = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
  const pages = ['docs/getting-started.md']
  for await (const page of glob('docs/guide/*.md', { cwd: ROOT })) pages.push(page)
  const plugins: string[] = []
  for (const page of pages) {
    plugins.push(...(await writeAll(join(folder, page.replaceAll(/\W/g, '-')), await filesOf(page))))
  }
  assert.ok(plugins.length >= 12, `expected a dozen plugins in the guide, found ${plugins.length}`)

  await writeFile(join(folder, 'package.json'), '{"type": "module"}')
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: {
        typeRoots: [join(ROOT, 'node_modules/@types')],
        paths: { '@xcore/sdk': [join(ROOT, 'libs/sdk/index.ts')], '@xcore/sdk/testing': [join(ROOT, 'libs/sdk/testing/index.ts')] },
      },
      include: ['**/*.ts'],
      exclude: [],
    }),
  )
  const tsc = run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder, '--pretty', 'false']).catch((failed: unknown) => {
    assert.fail(`tsc: ${Object(failed).stdout}`)
  })

  for (const plugin of plugins) {
    await using loaded = await loadPlugin(plugin, { database: database.url, plugins: plugin.endsWith('tickets') ? { billing: {} } : {} })
    assert.ok(loaded.local)
  }
  const tests: string[] = []
  for await (const file of glob('**/*.test.ts', { cwd: folder })) tests.push(join(folder, file))
  assert.ok(tests.length >= 10, `expected tests in the guide, found ${tests.length}`)
  await using own = await testDatabase({ migrated: false })
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env
  await run(process.execPath, ['--import', REGISTER, '--test', '--test-isolation=none', ...tests], {
    cwd: folder,
    env: { ...env, TEST_DATABASE: own.url },
  }).catch((failed: unknown) => assert.fail(`${Object(failed).stdout}\n${Object(failed).stderr}`))
  await tsc
})

test('links of the guide lead somewhere', async () => {
  for await (const page of glob('docs/guide/*.md', { cwd: ROOT })) {
    const text = await readFile(join(ROOT, page), 'utf8')
    for (const [, target = ''] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
      await assert.doesNotReject(access(join(ROOT, dirname(page), target)), `${page}: ${target}`)
    }
  }
})
