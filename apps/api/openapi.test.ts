import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Type } from '@xcore/sdk'
import type { PluginStatus } from '../../libs/plugin-host/port.ts'
import { jsonOf, startApi, testDeps } from './testing/start-api.ts'

const SHOP: PluginStatus = {
  name: 'shop',
  folder: 'shop',
  version: '1.0.0',
  state: 'ready',
  manifest: { http: { auth: 'required' } },
  paused: false,
  lastError: null,
  subscriptions: [],
  actions: [
    {
      name: 'place',
      input: Type.Object({ product: Type.String() }),
      output: Type.Object({ order_id: Type.String() }),
      description: 'Orders',
    },
    {
      name: 'tree',
      input: { type: 'object', properties: { child: { $ref: '#/$defs/Node' } }, $defs: { Node: { type: 'object' } } },
      output: null,
    },
    { name: 'free', input: null, output: null },
  ],
  routes: [
    {
      method: 'GET',
      path: '/orders/:id',
      status: 200,
      summary: 'One order',
      params: Type.Object({ id: Type.Integer() }),
      query: Type.Object({ full: Type.Optional(Type.Boolean()), tag: Type.String() }),
      body: null,
      response: Type.Object({ id: Type.Integer() }),
    },
    { method: 'POST', path: '/orders', status: 201, params: null, query: null, body: Type.Object({}), response: null },
    { method: 'GET', path: '/files/*path', status: 200, params: null, query: null, body: null, response: null },
  ],
}

async function documentOf(keys: boolean) {
  const auth = keys ? { keys: [{ name: 'a', scopes: ['read'] as const, key: 'secret' }] } : { keys: [] }
  await using api = await startApi({ host: { ...testDeps().host, statuses: () => [SHOP] }, auth })
  return await jsonOf(await api.request('/openapi.json', { headers: { authorization: 'Bearer secret' } }))
}

for (const keys of [false, true]) {
  test(`the document is valid OpenAPI 3.1 ${keys ? 'with' : 'without'} keys`, async () => {
    const result = await new Validator().validate(await documentOf(keys))
    assert.deepEqual(result.errors, undefined)
    assert.equal(result.valid, true)
  })
}

test('actions and routes of plugins are there with schemas and error codes, the platform’s own too', async () => {
  const paths = Object(await documentOf(true))['paths']
  const place = paths['/ipc/shop/place'].post
  assert.equal(place.summary, 'Orders')
  assert.deepEqual(place.requestBody.content['application/json'].schema.properties.payload.required, ['product'])
  assert.match(JSON.stringify(place.responses['200']), /order_id/)
  assert.deepEqual(Object.keys(place.responses), [
    '200',
    '202',
    '400',
    '401',
    '403',
    '404',
    '409',
    '413',
    '422',
    '429',
    '500',
    '503',
    '504',
    'default',
  ])
  assert.match(place.responses['422'].description, /validation_error.*idempotency_mismatch/)
  assert.equal(
    paths['/ipc/shop/tree'].post.requestBody.content['application/json'].schema.properties.payload.$id,
    'urn:xcore:shop.tree.input',
  )
  const one = paths['/plugins/shop/orders/{id}'].get
  assert.deepEqual(
    one.parameters.map(({ name, in: where, required }: { name: string; in: string; required: boolean }) => [name, where, required]),
    [
      ['id', 'path', true],
      ['full', 'query', false],
      ['tag', 'query', true],
    ],
  )
  assert.ok(one.security && one.responses['401'])
  assert.deepEqual(Object.keys(paths['/plugins/shop/orders'].post.responses)[0], '201')
  assert.ok(!Object.keys(paths).some((path) => path.includes('files')))
  assert.deepEqual(paths['/jobs/{id}'].get.responses['200'].content['application/json'].schema, { $ref: '#/components/schemas/Job' })
})
