import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { pluginName } from '../event-log/index.ts'
import { createDatabase } from '../postgres/database.ts'
import type { PooledDatabase } from '../postgres/database.ts'
import { testDatabase } from '../postgres/testing/index.ts'
import type { TestDatabase } from '../postgres/testing/index.ts'
import type { Subscription } from './port.ts'
import { createSubscribers, createSubscriptionRegistry } from './subscriptions.ts'
import type { Subscribers } from './subscriptions.ts'

let home: TestDatabase
let db: PooledDatabase
before(async () => {
  home = await testDatabase()
  db = createDatabase({ url: home.url, applicationName: 'subscriptions test', max: 6 })
})
beforeEach(() => db.run('delete from xcore.subscriptions; update xcore.epochs set value = value + 1'))
after(async () => {
  await db.close()
  await home.drop()
})

const MAIL = pluginName('mail')
const AUDIT = pluginName('audit')
const subscription = (id: string, pattern: string, extra: Partial<Subscription> = {}): Subscription => ({
  plugin: MAIL,
  id,
  pattern,
  priority: 50,
  once: false,
  maxAttempts: 3,
  ...extra,
})
const epoch = async () => (await db.run<{ value: string }>(`select value from xcore.epochs where name = 'subscriptions'`))[0]?.value
const matching = async (subscribers: Subscribers, name: string) =>
  (await subscribers.matching(db, name)).map(({ plugin, id }) => `${plugin}/${id}`)

describe('subscriptions', () => {
  test('a change is seen by every process at its next event', async () => {
    const registry = createSubscriptionRegistry(db)
    const [here, there] = [createSubscribers(), createSubscribers()]
    assert.deepEqual(await matching(here, 'user.created'), [])
    await registry.replace(MAIL, '1.0.0', [subscription('all', 'user.*'), subscription('orders', 'order.*')])
    await registry.replace(AUDIT, '1.0.0', [subscription('everything', '*', { plugin: AUDIT, priority: 90 })])
    for (const process of [here, there]) assert.deepEqual(await matching(process, 'user.created'), ['audit/everything', 'mail/all'])
    await registry.replace(MAIL, '1.1.0', [subscription('all', 'user.*', { priority: 95 })])
    for (const process of [here, there]) {
      assert.deepEqual(await matching(process, 'user.created'), ['mail/all', 'audit/everything'])
      assert.deepEqual(await matching(process, 'order.placed'), ['audit/everything'])
    }
    await registry.add(subscription('late', 'user.created'))
    await registry.remove(MAIL, 'all')
    assert.deepEqual(await matching(here, 'user.created'), ['audit/everything', 'mail/late'])
    assert.deepEqual(await registry.retain([AUDIT]), [MAIL])
    assert.deepEqual(await matching(there, 'user.created'), ['audit/everything'])
  })

  test('loading the same again changes nothing, also from several processes at once', async () => {
    const registry = createSubscriptionRegistry(db)
    const list = [subscription('b', 'x.*'), subscription('a', 'y.*')]
    await registry.replace(MAIL, '1.0.0', list)
    const before = await epoch()
    await Promise.all(Array.from({ length: 6 }, (_, n) => registry.replace(MAIL, '1.0.0', n % 2 === 0 ? list : [...list].reverse())))
    assert.equal(await epoch(), before)
    await registry.replace(MAIL, '1.0.1', list)
    assert.notEqual(await epoch(), before)
  })

  test('a `once` subscription is spent by one of many events that race for it', async () => {
    await createSubscriptionRegistry(db).replace(MAIL, '1.0.0', [subscription('first', 'x', { once: true })])
    const spent = await Promise.all(
      Array.from({ length: 6 }, () => {
        const subscribers = createSubscribers()
        return db.transaction(async (tx) => (await subscribers.spend(tx, await subscribers.matching(tx, 'x'))).length)
      }),
    )
    assert.deepEqual(spent.toSorted(), [0, 0, 0, 0, 0, 1])
    assert.deepEqual(await matching(createSubscribers(), 'x'), [])
  })

  test('what was read in a transaction that rolled back is not taken for the state after another change', async () => {
    const registry = createSubscriptionRegistry(db)
    const subscribers = createSubscribers()
    await registry.replace(MAIL, '1.0.0', [subscription('first', 'x', { once: true })])
    await assert.rejects(
      db.transaction(async (tx) => {
        await subscribers.spend(tx, await subscribers.matching(tx, 'x'))
        assert.deepEqual(await subscribers.matching(tx, 'x'), [])
        throw new Error('rolled back')
      }),
      /rolled back/,
    )
    await registry.add(subscription('second', 'x'))
    assert.deepEqual(await matching(subscribers, 'x'), ['mail/first', 'mail/second'])
  })
})
