import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Router, TrustedBase, Type, action, error, ok } from '@xcore/sdk'
import type { ActionResult, EventMessage, JobContext, Payload } from '@xcore/sdk'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <T extends true>(value?: T): T | undefined => value

interface Order {
  readonly id: string
}

const CreateOrder = Type.Object({ user_id: Type.String(), amount: Type.Number({ minimum: 0 }), note: Type.Optional(Type.String()) })

// Never run: tsc is the test.
class Plugin extends TrustedBase {
  private orders = new Map<string, Order>()

  override async onLoad(): Promise<void> {
    this.ctx.events.on('user.created', this.onUserCreated)
    this.ctx.events.on('order.*', this.onOrder, { priority: 100 })
    this.ctx.events.once('x', (event) => this.logger.info(event.id))
    const cache: unknown = this.getService('cache')
    void cache
  }

  override actions = {
    create_order: action({
      input: CreateOrder,
      handler: async (payload, job) => {
        holds<Equal<typeof payload.user_id, string>>()
        holds<Equal<typeof payload.amount, number>>()
        holds<Equal<typeof payload.note, string | undefined>>()
        holds<Equal<typeof job, JobContext>>()
        // @ts-expect-error: no such field
        void payload.nope
        await this.ctx.events.emit('order.placed', payload)
        return ok({ order_id: job.id })
      },
    }),
    list: action({ handler: (payload) => ok({ received: payload, orders: [...this.orders.values()] }) }),
    quiet: action({ handler: () => {} }),
    domain_object: action({ handler: (): Order => ({ id: '1' }) }),
    either: action({ input: Type.Object({}), handler: async () => (this.orders.size > 0 ? ok() : error('none', { code: 'not_found' })) }),
    // @ts-expect-error: a text is no result
    text: action({ handler: () => 'done' }),
  }

  override async handle(name: string, payload: Payload, job: JobContext) {
    if (name === 'call') {
      const answer = await this.callPlugin(
        'other',
        'ping',
        { text: payload['text'], at: job.deadline.toISOString() },
        { timeoutSeconds: 5 },
      )
      if (answer.status === 'error') {
        holds<Equal<typeof answer.code, string>>()
        return answer
      }
      return ok({ answer })
    }
    if (name === 'written_out') return { status: 'ok', id: 1 }
    return name === 'ping' ? ok({ message: 'pong' }) : error(`Unknown action: ${name}`, { code: 'unknown_action' })
  }

  override getRouter() {
    const router = new Router({ prefix: '/items' })
    router.get('/:id', async (ctx) => {
      ctx.body = this.orders.get(ctx.params['id'] ?? '') ?? ctx.throw(404)
    })
    return router
  }

  private async onUserCreated(event: EventMessage<{ readonly email: string }>) {
    holds<Equal<typeof event.data.email, string>>()
  }

  private onOrder(event: EventMessage, job: JobContext): ActionResult {
    return ok({ name: event.name, attempt: job.attempt, data: event.data })
  }
}

// @ts-expect-error: the field would be lost
const lost = () => ok({ status: 'shipped' })

test('a plugin written as the contract shows it passes the type checker', () => {
  assert.ok(Plugin.prototype instanceof TrustedBase)
  assert.equal(typeof lost, 'function')
})
