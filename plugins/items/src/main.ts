import { randomUUID } from 'node:crypto'
import { action, error, HttpError, ok, Router, TrustedBase, Type, validated } from '@xcore/sdk'
import { ItemChange, ItemId, NewItem } from './item.ts'
import { ItemStore, MAX_ITEMS } from './store.ts'

const OneItem = Type.Object({ id: ItemId }, { additionalProperties: false })
const FULL = `the collection is full: expected at most ${MAX_ITEMS} items; delete some first`

/** Create, read, update and delete items; the same collection over routes and actions, in every process. */
export default class Items extends TrustedBase {
  get #items(): ItemStore {
    return new ItemStore(this.getService('db'))
  }

  override actions = {
    create: action({
      description: 'Makes an item',
      input: NewItem,
      handler: async (fields, job) => {
        const item = await this.#items.create(job.id, fields)
        return item === undefined ? error(FULL, { code: 'items_full', statusCode: 507 }) : ok({ id: item.id, item })
      },
    }),
    get: action({
      description: 'One item',
      input: OneItem,
      handler: async ({ id }) => {
        const item = await this.#items.find(id)
        return item === undefined ? missing(id) : ok({ item })
      },
    }),
    list: action({
      description: 'All items',
      handler: async () => ok({ items: await this.#items.list() }),
    }),
    update: action({
      description: 'Changes the members that are given',
      input: Type.Object({ id: ItemId, change: ItemChange }, { additionalProperties: false }),
      handler: async ({ id, change }) => {
        const item = await this.#items.update(id, change)
        return item === undefined ? missing(id) : ok({ item })
      },
    }),
    delete: action({
      description: 'Deletes an item',
      input: OneItem,
      handler: async ({ id }) => ((await this.#items.delete(id)) ? ok({ deleted: true }) : missing(id)),
    }),
  }

  override getRouter() {
    const router = new Router({ prefix: '/items' })
    router.get('/', async (ctx) => {
      ctx.body = { items: await this.#items.list() }
    })
    router.post('/', async (ctx) => {
      const body = validated(NewItem, ctx.request.body)
      const item = await this.#items.create(randomUUID(), body)
      if (item === undefined) throw new HttpError(507, FULL, { code: 'items_full' })
      ctx.status = 201
      ctx.set('Location', `/plugins/${this.ctx.name}/items/${item.id}`)
      ctx.body = item
    })
    router.get('/:id', async (ctx) => {
      ctx.body = (await this.#items.find(ctx.params.id ?? '')) ?? notFound()
    })
    router.put('/:id', async (ctx) => {
      const body = validated(ItemChange, ctx.request.body)
      const id = ctx.params.id ?? ''
      if (body.id !== undefined && body.id !== id) {
        throw new HttpError(422, `/id must be the id of the path, ${id}, or be left out`, { code: 'validation_error' })
      }
      ctx.body = (await this.#items.update(id, body)) ?? notFound()
    })
    router.delete('/:id', async (ctx) => {
      if (!(await this.#items.delete(ctx.params.id ?? ''))) notFound()
      ctx.body = { deleted: true }
    })
    return router
  }
}

function missing(id: string) {
  return error(`no item ${id}`, { code: 'not_found' })
}

function notFound(): never {
  throw new HttpError(404, 'Item not found', { code: 'not_found' })
}
