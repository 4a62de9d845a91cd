import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseManifest } from '../../../../manifest/index.ts'
import { testLogger } from '../../../../postgres/testing/index.ts'
import { MemoryPlatform } from '../../../testing/memory-platform.ts'
import { SandboxOffer } from './offer.ts'

test('subscriptions have an end; the same id again takes the place of the first', async () => {
  const platform = new MemoryPlatform(() => undefined, testLogger)
  const offer = new SandboxOffer({ manifest: parseManifest('name: shop\nversion: 1.0.0\n'), platform })
  await offer.publish()
  const subscribe = (id: string) => offer.subscribe({ id, pattern: 'a.*', priority: 50, once: false })
  for (let n = 0; n < 1_000; n += 1) await subscribe(`id${n}`)
  await assert.rejects(subscribe('one more'), { code: 'bad_request', message: /at most 1000 subscriptions of plugin shop/ })
  await subscribe('id7')
  assert.equal(platform.registered.size, 1_000)
  await offer.unsubscribe('id7')
  await subscribe('one more')
  offer.retire()
  await assert.rejects(subscribe('late'), { code: 'not_ready' })
})
