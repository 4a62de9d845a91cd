import assert from 'node:assert/strict'
import { cp, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { sign } from '@octokit/webhooks-methods'
import { Webhook } from 'standardwebhooks'
import { testDatabase } from '../libs/postgres/testing/index.ts'
import { deriveSecret } from '../plugins/webhooks/src/message.ts'
import { startCli, testFolder } from './cli-process.ts'
import { endpoint, says } from './webhook-endpoint.ts'

const ROOT = join(import.meta.dirname, '..')

test('with api and worker apart, endpoints of plugin.yaml and those added at the api get what comes in there', async () => {
  await using target = await endpoint(says(503), says(204))
  await using later = await endpoint(says(204))
  await using folder = await testFolder()
  await using database = await testDatabase()
  for (const name of ['github', 'webhooks']) await cp(join(ROOT, 'plugins', name), join(folder.path, 'plugins', name), { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(folder.path, 'node_modules'))
  const file = join(folder.path, 'plugins/webhooks/plugin.yaml')
  const manifest = await readFile(file, 'utf8')
  const endpoints = `endpoints: [{ id: one, url: '${target.url}', events: ['github.push'] }]`
  await writeFile(file, manifest.replace('allow_private: false', 'allow_private: true').replace('endpoints: []', endpoints))

  const env = {
    DATABASE_URL: database.url,
    XCORE_HTTP_PORT: '0',
    XCORE_WORKER_METRICS_PORT: '0',
    GITHUB_WEBHOOK_SECRET: 'secret',
    WEBHOOKS_SECRET: 'the same in every process',
  }
  await using api = await startCli(['api'], { cwd: folder.path, env })
  await using worker = await startCli(['worker'], { cwd: folder.path, env })
  const added = await fetch(`${api.url}/plugins/webhooks/endpoints`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ url: later.url, events: ['github.p*'] }),
  })
  assert.equal(added.status, 201)
  const body = JSON.stringify({ ref: 'refs/heads/main' })
  const accepted = await fetch(`${api.url}/plugins/github/webhook`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-github-event': 'push',
      'x-github-delivery': 'd-1',
      'x-hub-signature-256': await sign('secret', body),
    },
    body,
  })
  assert.equal(accepted.status, 202)
  const attempts = await target.all
  assert.equal(new Set(attempts.map(({ headers }) => headers['webhook-id'])).size, 1)
  const secret = deriveSecret(env.WEBHOOKS_SECRET, 'one')
  for (const attempt of attempts) assert.ok(new Webhook(secret).verify(attempt.body, attempt.headers))
  assert.equal((await later.all).length, 1)
  assert.equal(worker.child.exitCode, null)
})
