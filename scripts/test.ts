/**
 * `npm test [-- FILE|PATTERN … --node-option …]`: runs every *.test.ts of the repository on one embedded PostgreSQL.
 * A word without dashes picks the files whose path contains it; options go to Node's test runner, e.g. `--test-name-pattern=retry`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import { TEST_SERVER_VARIABLE, startTestServer } from '../libs/postgres/testing/test-server.ts'

const ROOT = join(import.meta.dirname, '..')
const FOLDERS = ['libs', 'apps', 'plugins', 'bench', 'test', 'scripts']
const DEFAULTS = ['--test-concurrency=2', '--test-timeout=120000']

const words = process.argv.slice(2).filter((arg) => !arg.startsWith('-'))
const options = process.argv.slice(2).filter((arg) => arg.startsWith('-'))
const files = await findFiles(words)
if (files.length === 0) {
  console.error(
    `Expected test files${words.length > 0 ? ` whose path contains ${words.join(' or ')}` : ''}, found none in ${FOLDERS.join(', ')}.`,
  )
  process.exit(2)
}
process.exitCode = await runTests(files)

async function findFiles(picked: readonly string[]): Promise<string[]> {
  const patterns = FOLDERS.map((folder) => `${folder}/**/*.test.ts`)
  const found: string[] = []
  for await (const file of glob(patterns, { cwd: ROOT, exclude: ['**/node_modules/**', '**/fixtures/**'] })) found.push(file)
  const wanted = picked.map((word) => (word.startsWith('./') ? word.slice(2) : word))
  return found.filter((file) => wanted.length === 0 || wanted.some((word) => file.includes(word))).sort()
}

async function runTests(testFiles: readonly string[]): Promise<number> {
  const given = process.env[TEST_SERVER_VARIABLE]
  const server = given === undefined ? await startTestServer() : undefined
  try {
    const child = spawn(process.execPath, ['--test', ...DEFAULTS, ...options, ...testFiles], {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, [TEST_SERVER_VARIABLE]: given ?? server?.url },
    })
    // Ctrl-C reaches the runner by itself; this process stays to stop the server.
    process.on('SIGINT', () => {})
    process.on('SIGTERM', () => child.kill('SIGTERM'))
    await once(child, 'exit')
    // Null: ended by a signal.
    return child.exitCode ?? 1
  } finally {
    await server?.stop()
  }
}
