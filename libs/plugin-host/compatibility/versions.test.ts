import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDatabase } from '../../postgres/database.ts'
import { testDatabase } from '../../postgres/testing/index.ts'
import { hostWith, pluginClass } from '../testing/plugin-folder.ts'
import { createPluginVersions } from './versions.ts'

test('what a ready plugin declares is kept with its version; the same version again replaces it', async () => {
  await using place = await testDatabase()
  const database = createDatabase({ url: place.url, applicationName: 'test', max: 2 })
  await using _closed = { [Symbol.asyncDispose]: () => database.close() }
  const versions = createPluginVersions(database)
  await using loaded = await hostWith({
    shop: pluginClass(`actions = { place: action({ input: Type.Object({ id: Type.String() }), handler: () => ok() }) }`),
    bad: 'nonsense(',
  })
  for (const status of loaded.host.statuses()) await versions.record(status)
  const status = loaded.host.status('shop')
  assert.ok(status)
  await versions.record({ ...status, actions: [] })
  await versions.record({ ...status, version: '2.0.0' })
  const [second, first] = await versions.list('shop')
  assert.deepEqual([first?.version, first?.actions], ['1.0.0', []])
  assert.equal(second?.version, '2.0.0')
  assert.deepEqual(second?.actions, [
    { name: 'place', input: { type: 'object', required: ['id'], properties: { id: { type: 'string' } } }, output: null },
  ])
  assert.deepEqual(await versions.list('bad'), [])
})
