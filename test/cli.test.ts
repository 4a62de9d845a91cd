import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { runCli, testFolder } from './cli-process.ts'

const GOOD = { 'plugins/good/plugin.yaml': 'name: good\nversion: 1.0.0\n', 'plugins/good/src/main.ts': 'export default class {}\n' }

test('what the command line cannot mean ends with 2 and says so on stderr', async () => {
  await using folder = await testFolder()
  const wrong: [args: string[], says: RegExp][] = [
    [['nope'], /unknown command 'nope'/],
    [['jobs', 'list', '--bogus'], /unknown option '--bogus'/],
    [['call', 'hello'], /missing required argument 'action'/],
    [['call', 'hello', 'ping', '{bad'], /expected JSON as argument/],
    [['call', 'hello', 'ping', '{}', '--wait', '61'], /--wait: expected whole seconds from 1 to 60, found 61/],
    [['call', 'hello', 'ping', '{}', '--priority', 'high'], /--priority: expected a number, found high/],
    [['status', '--url', 'localhost:8080'], /expected something like http:/],
    [['worker', '--group', 'heavy'], /there is no worker group heavy/],
    [['worker', '--concurrency', '0'], /--concurrency: expected a whole number from 1 to 10000, found 0/],
    [['worker', '--group', 'a', '--plugins', 'b'], /pass one of them/],
    [['start', '--port', '99999'], /expected an integer from 0 to 65535/],
    [['status', '--config', 'missing.yaml'], /missing\.yaml/],
  ]
  for (const [args, says] of wrong) {
    const result = await runCli(args, { cwd: folder.path })
    assert.match(result.stderr, says, args.join(' '))
    assert.equal(result.code, 2, args.join(' '))
    assert.equal(result.stdout, '', args.join(' '))
  }
})

test('no command prints the help and ends with 2; asking for help ends with 0', async () => {
  await using folder = await testFolder()
  const none = await runCli([], { cwd: folder.path })
  assert.equal(none.code, 2)
  assert.match(none.stderr, /Usage: xcore/)
  const help = await runCli(['--help'], { cwd: folder.path })
  assert.equal(help.code, 0)
  for (const command of ['start', 'api', 'worker', 'migrate', 'doctor', 'status', 'call', 'emit', 'plugin', 'jobs', 'rebuild']) {
    assert.match(help.stdout, new RegExp(`^ {2}${command} `, 'm'))
  }
})

test('an unknown key in xcore.yaml, and one in the environment, stop the start with 2 and a near match', async () => {
  await using folder = await testFolder()
  await folder.write({ 'xcore.yaml': 'http:\n  prot: 1\n' })
  const file = await runCli(['start'], { cwd: folder.path })
  assert.equal(file.code, 2)
  assert.match(file.stderr, /xcore\.yaml:2.*Did you mean "(http\.)?port"/s)
  await folder.write({ 'xcore.yaml': '' })
  const environment = await runCli(['start'], { cwd: folder.path, env: { XCORE_HTPP_PORT: '1' } })
  assert.equal(environment.code, 2)
  assert.match(environment.stderr, /XCORE_HTPP_PORT.*Did you mean "XCORE_HTTP_PORT"/)
})

test('api and worker without a database say how to give one', async () => {
  await using folder = await testFolder()
  for (const command of ['api', 'worker']) {
    const result = await runCli([command], { cwd: folder.path })
    assert.equal(result.code, 2)
    assert.match(result.stderr, /DATABASE_URL/)
    assert.match(result.stderr, /xcore start/)
  }
})

test('commands that need a server name the remedy when none answers', async () => {
  await using folder = await testFolder()
  // A port that was free a moment ago.
  const probe = createServer()
  const port = await new Promise<number>((resolve) => probe.listen(0, '127.0.0.1', () => resolve(Object(probe.address()).port)))
  await new Promise((resolve) => probe.close(resolve))
  for (const args of [
    ['call', 'hello', 'ping'],
    ['emit', 'user.created', '{}'],
    ['status'],
    ['jobs', 'list'],
    ['jobs', 'show', 'x'],
    ['plugin', 'list'],
  ]) {
    const result = await runCli([...args, '--json'], { cwd: folder.path, env: { XCORE_HTTP_PORT: String(port) } })
    assert.equal(result.code, 1)
    const { error } = JSON.parse(result.stderr)
    assert.equal(error.code, 'not_ready')
    assert.match(error.message, new RegExp(`no XCore answers at http://127\\.0\\.0\\.1:${port} .*xcore start`))
  }
})

test('bad JSON on stdin ends with 2', async () => {
  await using folder = await testFolder()
  const result = await runCli(['call', 'hello', 'ping', '-'], { cwd: folder.path, input: 'not json' })
  assert.equal(result.code, 2)
  assert.match(result.stderr, /expected JSON on stdin/)
})

test('plugin validate tells what a good plugin may do', async () => {
  await using folder = await testFolder()
  await folder.write(GOOD)
  for (const target of [[], ['good'], ['plugins/good'], ['plugins']]) {
    const result = await runCli(['plugin', 'validate', ...target], { cwd: folder.path })
    assert.equal(result.code, 0, result.stderr)
    assert.match(result.stdout, /^ok +good$/m)
    assert.match(result.stdout, /May use everything/)
  }
})

test('plugin validate names file, line and a near match of what is wrong, and ends with 1', async () => {
  await using folder = await testFolder()
  await folder.write({
    ...GOOD,
    'plugins/bad/plugin.yaml': 'name: bad\nversion: 1.0.0\nconcurency: 5\nresources:\n  timeout_seconds: 0\n',
    'plugins/bad/src/main.ts': '',
    'plugins/alone/plugin.yaml': 'name: alone\nversion: 1.0.0\nrequires: [nobody]\n',
    'plugins/alone/src/main.ts': '',
  })
  const result = await runCli(['plugin', 'validate'], { cwd: folder.path })
  assert.equal(result.code, 1)
  assert.match(result.stdout, /plugins\/bad\/plugin\.yaml:3: .*concurency.*concurrency/)
  assert.match(result.stdout, /plugins\/bad\/plugin\.yaml:5: .*timeout_seconds/)
  assert.match(result.stdout, /plugins\/alone\/plugin\.yaml:3: .*nobody/)
  assert.match(result.stdout, /^ok +good$/m)
  assert.match(result.stderr, /2 of 3 would be refused/)

  const json = await runCli(['plugin', 'validate', 'bad', '--json'], { cwd: folder.path })
  assert.equal(json.code, 1)
  const [plugin] = JSON.parse(json.stdout).plugins
  assert.equal(plugin.ok, false)
  assert.deepEqual(
    plugin.errors.map((error: { code: string }) => error.code),
    ['manifest_invalid', 'manifest_invalid'],
  )
})

test('plugin validate of something that is not there offers a near match', async () => {
  await using folder = await testFolder()
  await folder.write(GOOD)
  const result = await runCli(['plugin', 'validate', 'goood'], { cwd: folder.path })
  assert.equal(result.code, 1)
  assert.match(result.stderr, /no plugin and no folder goood.*Did you mean "good"/)
})

test('doctor lists every finding with its remedy and ends with 1 when one fails', async () => {
  await using folder = await testFolder()
  await folder.write({ ...GOOD, 'plugins/bad/plugin.yaml': 'name: 5\n' })
  const env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', XCORE_HTTP_PORT: '0' }
  const result = await runCli(['doctor', '--json'], { cwd: folder.path, env })
  assert.equal(result.code, 1)
  const { findings } = JSON.parse(result.stdout)
  const statuses = Object.fromEntries(findings.map((finding: { name: string; status: string }) => [finding.name, finding.status]))
  assert.deepEqual(statuses, {
    node: 'ok',
    plugins: 'ok',
    'plugin bad': 'fail',
    'plugin good': 'ok',
    port: 'ok',
    queue: 'ok',
    database: 'fail',
  })
  for (const finding of findings) assert.equal(finding.remedy === null, finding.status === 'ok')
  const text = await runCli(['doctor'], { cwd: folder.path, env })
  assert.match(text.stdout, /^fail {2}database: .*127\.0\.0\.1:1/m)
})
