import assert from 'node:assert/strict'
import { test } from 'node:test'
import { action, error, ok, route, Router, TrustedBase, Type } from '@xcore/sdk'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_ extends true>(): void => {}

const Order = Type.Object({ product: Type.String(), quantity: Type.Integer() })
const Placed = Type.Object({ order_id: Type.String(), note: Type.Optional(Type.String()) })

/** Everything here is checked by `tsc`; the test only runs it. */
class Shop extends TrustedBase {
  override async onLoad() {
    this.ctx.events.on(
      'order.placed',
      (event) => {
        holds<Equal<typeof event.data.order_id, string>>()
      },
      { schema: Placed },
    )
    this.ctx.events.once('order.placed', this.onPlaced, { schema: Placed, priority: 9 })
    // @ts-expect-error: the schema has no such member
    this.ctx.events.on('order.placed', (event) => event.data.price, { schema: Placed })
  }

  override actions = {
    place: action({
      input: Order,
      output: Placed,
      handler: async (order) => {
        holds<Equal<typeof order.quantity, number>>()
        return order.quantity > 9 ? error('too many', { code: 'too_many' }) : ok({ order_id: '1' })
      },
    }),
    bare: action({ output: Placed, handler: () => ({ order_id: '1', note: 'x' }) }),
    // @ts-expect-error: order_id is missing
    incomplete: action({ output: Placed, handler: () => ok({ note: 'x' }) }),
    // @ts-expect-error: a number where a text belongs
    wrong: action({ output: Placed, handler: async () => ({ order_id: 1 }) }),
  }

  override getRouter() {
    const router = new Router()
    router.post(
      '/orders/:id',
      route(
        { params: Type.Object({ id: Type.Integer() }), body: Order, response: Placed, status: 201 },
        (_ctx, { params, body, query }) => {
          holds<Equal<typeof params.id, number>>()
          holds<Equal<typeof body.product, string>>()
          holds<Equal<typeof query, undefined>>()
          return { order_id: String(params.id) }
        },
      ),
    )
    const answer = () => ({ order_id: 1 })
    // @ts-expect-error: the answer does not fit its schema
    router.get('/wrong', route({ response: Placed }, answer))
    return router
  }

  private onPlaced(event: { readonly data: { readonly order_id: string } }) {
    return ok({ seen: event.data.order_id })
  }
}

test('types of handlers come from their schemas', () => {
  assert.ok(Shop.prototype instanceof TrustedBase)
})
