import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Db } from '@xcore/sdk'
import { testPlugins } from '../libs/engine/testing/plugins.ts'
import { owner, testDb } from '../libs/services/db/testing/db-platform.ts'
import { ItemStore, MAX_ITEMS } from '../plugins/items/src/store.ts'
import { MAX_USERS, UserDirectory, createUser, refusingTaken } from '../plugins/users/src/directory.ts'
import type { CreateUser } from '../plugins/users/src/user.ts'
import { Endpoints, MAX_ENDPOINTS, checkRequest, masterSecret } from '../plugins/webhooks/src/endpoints.ts'
import type { EndpointRequest } from '../plugins/webhooks/src/endpoints.ts'

// What the example plugins keep, on a real schema made by their own migrations.
const PLUGINS = join(import.meta.dirname, '..', 'plugins')
const open = new AsyncDisposableStack()
let items: Db
let users: Db
let webhooks: Db

before(async () => {
  const platform = open.use(await testDb(testPlugins({}), { consume: false }))
  const schemaOf = async (name: string) => {
    const plugin = owner(name, null, join(PLUGINS, name))
    await platform.db.migrate(plugin)
    return platform.db.of(plugin)
  }
  items = await schemaOf('items')
  users = await schemaOf('users')
  webhooks = await schemaOf('webhooks')
})
after(() => open.disposeAsync())

test('items: create, read, update, delete', async () => {
  const store = new ItemStore(items)
  assert.deepEqual(await store.create('1', { name: 'Lamp', price: 5 }), { id: '1', name: 'Lamp', price: 5 })
  assert.deepEqual(await store.update('1', { id: '1', price: 6 }), { id: '1', name: 'Lamp', price: 6 })
  assert.deepEqual(await store.create('1', { name: 'Lamp' }), await store.find('1'))
  assert.deepEqual(await store.list(), [await store.find('1')])
  assert.equal(await store.update('2', { price: 6 }), undefined)
  assert.equal(await store.delete('1'), true)
  assert.equal(await store.delete('1'), false)
  assert.equal(await store.find('1'), undefined)
})

test('items: the store has a limit, and lists in the order in which items were made', async () => {
  const store = new ItemStore(items)
  await items.query(`insert into items (id, fields) select n::text, '{"name":"a"}' from generate_series($1::int, 1, -1) as n`, [MAX_ITEMS])
  assert.equal(await store.create('more', { name: 'a' }), undefined)
  assert.equal((await store.create('1', { name: 'a' }))?.id, '1')
  assert.equal((await store.list())[0]?.id, String(MAX_ITEMS))
})

const ada = { username: 'ada', email: 'ada@example.com', age: 36 }
const create = (id: string, fields: CreateUser) =>
  refusingTaken(() => users.transaction(async (tx) => (await createUser(tx, id, fields)).stored))

test('users: names and addresses are unique whatever their case; an update frees what it replaces', async () => {
  const directory = new UserDirectory(users)
  assert.deepEqual(await create('1', ada), { kind: 'stored', user: { id: '1', ...ada } })
  assert.deepEqual(await create('1', ada), { kind: 'stored', user: { id: '1', ...ada } })
  assert.deepEqual(await create('2', { ...ada, username: 'ADA', email: 'x@example.com' }), { kind: 'taken', field: 'username' })
  assert.deepEqual(await create('2', { ...ada, username: 'bob', email: 'Ada@Example.com' }), { kind: 'taken', field: 'email' })
  assert.equal((await create('2', { username: 'bob', email: 'bob@example.com', age: 20 })).kind, 'stored')
  assert.deepEqual(await directory.update('1', { username: 'Ada' }), { kind: 'stored', user: { id: '1', ...ada, username: 'Ada' } })
  assert.deepEqual(await refusingTaken(() => directory.update('1', { username: 'bob' })), { kind: 'taken', field: 'username' })
  assert.equal((await directory.update('1', { username: 'eve' })).kind, 'stored')
  assert.equal((await directory.update('2', { username: 'ada' })).kind, 'stored')
  assert.deepEqual(await directory.update('3', { age: 1 }), { kind: 'missing' })
  assert.deepEqual(
    (await directory.list()).map(({ id }) => id),
    ['1', '2'],
  )
})

test('users: the directory has a limit', async () => {
  await users.query(
    `insert into users (id, username, email, age) select 'n' || n, 'user' || n, 'user' || n || '@example.com', 1 from generate_series(1, $1::int) as n`,
    [MAX_USERS],
  )
  assert.deepEqual(await create('more', { ...ada, username: 'more', email: 'more@example.com' }), { kind: 'full' })
})

function endpoint(request: EndpointRequest) {
  const checked = checkRequest(request, false)
  assert.ok(checked.ok)
  return checked.endpoint
}

test('webhooks: adding, replacing, removing, and who asks for an event', async () => {
  const endpoints = new Endpoints(webhooks, 'master')
  const first = await endpoints.add(endpoint({ url: 'https://example.com/hook', events: ['user.*', 'order.placed'] }))
  assert.ok(first.ok && !first.replaced)
  const again = await endpoints.add(endpoint({ url: 'https://example.com/hook', events: ['user.*'] }))
  assert.ok(again.ok && again.replaced && again.endpoint.id === first.endpoint.id)
  const own = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const other = await endpoints.add(endpoint({ url: 'https://example.org/', events: ['user.*'], id: 'other', secret: own }))
  assert.ok(other.ok && other.endpoint.secret === own)
  assert.deepEqual(await endpoints.askingFor('user.created', new Date()), [first.endpoint.id, 'other'])
  assert.deepEqual(await endpoints.askingFor('order.placed', new Date()), [])
  assert.deepEqual(await endpoints.askingFor('user.created', new Date(Date.now() - 60_000)), [])
  assert.equal(JSON.stringify(await endpoints.list()).includes('whsec'), false)
  // Derived alike in every process.
  assert.equal((await new Endpoints(webhooks, 'master').find(first.endpoint.id))?.secret, again.endpoint.secret)
  assert.equal(await endpoints.remove('other'), true)
  assert.equal(await endpoints.remove('other'), false)
  assert.deepEqual(await endpoints.askingFor('user.created', new Date()), [first.endpoint.id])
})

test('webhooks: those of plugin.yaml come and go with it, those that were added stay', async () => {
  const endpoints = new Endpoints(webhooks, 'master')
  await webhooks.query('delete from endpoints')
  await endpoints.add(endpoint({ url: 'https://example.com/added', events: ['*'], id: 'added' }))
  const one = endpoint({ url: 'https://example.com/1', events: ['*'], id: 'one' })
  const two = endpoint({ url: 'https://example.com/2', events: ['*'], id: 'two' })
  await Promise.all([endpoints.configure([one, two]), endpoints.configure([two, one])])
  await endpoints.configure([two])
  assert.deepEqual((await endpoints.list()).map(({ id }) => id).toSorted(), ['added', 'two'])
})

test('webhooks: the secret that is made up is the same for all, and there is a limit', async () => {
  const secrets = await Promise.all(['a', 'b', 'c'].map((made) => masterSecret(webhooks, '', () => made)))
  assert.equal(new Set(secrets).size, 1)
  assert.equal(await masterSecret(webhooks, 'given', () => 'd'), 'given')
  await webhooks.query(
    `insert into endpoints (id, url, events, added_at) select n::text, 'https://example.com', '{a}', now() from generate_series(1, $1::int) n`,
    [MAX_ENDPOINTS],
  )
  const endpoints = new Endpoints(webhooks, 'master')
  const refused = await endpoints.add(endpoint({ url: 'https://example.com/more', events: ['*'] }))
  assert.ok(!refused.ok && refused.code === 'too_many_endpoints')
  assert.ok((await endpoints.add(endpoint({ url: 'https://example.com/more', events: ['*'], id: '1' }))).ok)
})
