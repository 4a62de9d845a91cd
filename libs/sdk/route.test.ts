import assert from 'node:assert/strict'
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadPlugin } from '@xcore/sdk/testing'

test('params, query and body are checked and typed before the handler; the answer gets its status', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'xcore-route-'))
  await using _gone = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
  await mkdir(join(folder, 'src'))
  await writeFile(join(folder, 'plugin.yaml'), 'name: shop\nversion: 1.0.0\n')
  await writeFile(
    join(folder, 'src/main.ts'),
    `import { Router, TrustedBase, Type, route } from '@xcore/sdk'
export default class Shop extends TrustedBase {
  override getRouter() {
    const router = new Router()
    router.get('/items/:id', route({
      params: Type.Object({ id: Type.Integer({ minimum: 1 }) }),
      query: Type.Object({ full: Type.Optional(Type.Boolean()), tag: Type.Optional(Type.Array(Type.String())) }),
    }, (_ctx, { params, query }) => ({ ...params, ...query })))
    router.post('/items', route({ body: Type.Object({ name: Type.String() }), status: 201 }, (_ctx, { body }) => ({ made: body.name })))
    router.delete('/items', route({}, (ctx) => { ctx.status = 204 }))
    return router
  }
}
`,
  )
  await using shop = await loadPlugin(folder)
  const ask = async (...request: Parameters<typeof shop.request>) => {
    const response = await shop.request(...request)
    return [response.status, response.status === 204 ? '' : await response.json()]
  }
  assert.deepEqual(await ask('GET', '/items/7?full=true&tag=a&tag=b'), [200, { id: 7, full: true, tag: ['a', 'b'] }])
  assert.deepEqual(await ask('POST', '/items', { body: { name: 'lamp' } }), [201, { made: 'lamp' }])
  assert.deepEqual(await ask('DELETE', '/items'), [204, ''])
  for (const [method, path, body] of [
    ['GET', '/items/zero', undefined],
    ['GET', '/items/0', undefined],
    ['GET', '/items/1?full=maybe', undefined],
    ['POST', '/items', { name: 5 }],
    ['POST', '/items', undefined],
  ] as const) {
    const response = await shop.request(method, path, { body })
    const { code, errors } = Object(await response.json())
    assert.deepEqual([response.status, code, Array.isArray(errors)], [422, 'validation_error', true], `${method} ${path}`)
  }
})
