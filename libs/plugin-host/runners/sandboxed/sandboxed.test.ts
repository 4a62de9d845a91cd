import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostWith, pluginClass } from '../../testing/plugin-folder.ts'

const manifest = (name: string, more = '') => `name: ${name}\nversion: 1.0.0\nexecution_mode: sandboxed\n${more}`

test('an action runs in a process of its own', async () => {
  await using t = await hostWith({
    echo: {
      'plugin.yaml': manifest('echo'),
      'src/main.ts': pluginClass(`
        override actions = {
          echo: action({ input: Type.Object({ text: Type.String() }), handler: async (payload, job) => ok({ text: payload.text, id: job.id, env: Object.keys(process.env).length }) }),
        }
        override handle(name: string) { return name === 'boom' ? Promise.reject(new Error('boom')) : error('no ' + name, { code: 'unknown_action' }) }`),
    },
  })
  assert.equal(t.host.refusal('echo'), undefined, JSON.stringify(t.host.refusal('echo')))
  const result = await t.run('echo', 'echo', { text: 'hi' })
  assert.equal(result.kind, 'ok')
  assert.deepEqual(result.kind === 'ok' && result.result['text'], 'hi')
  const boom = await t.run('echo', 'boom')
  assert.equal(boom.kind === 'threw' && boom.error.message, 'boom')
  console.log(
    t.host.status('echo')?.sandbox,
    t.lines.map((l) => l['msg']),
  )
})
