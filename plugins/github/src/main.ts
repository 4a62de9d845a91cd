import { HttpError, Router, TrustedBase } from '@xcore/sdk'
import { readDelivery } from './delivery.ts'
import { isSigned } from './signature.ts'

/** The default in plugin.yaml. */
const DEVELOPMENT_SECRET = 'xcore-development-only'

/** GitHub's webhooks as events: `github.<event>[.<action>]`, once per delivery. */
export default class GitHub extends TrustedBase {
  #secret = ''

  override async onLoad() {
    this.#secret = this.ctx.env.GITHUB_WEBHOOK_SECRET ?? ''
    if (this.#secret === '') throw new Error('GITHUB_WEBHOOK_SECRET is empty: set it to the secret of the webhook on GitHub')
    if (this.#secret === DEVELOPMENT_SECRET) {
      this.logger.warn('GITHUB_WEBHOOK_SECRET is not set: the known development secret is in use, anybody can sign deliveries with it')
    }
  }

  override getRouter() {
    const router = new Router()
    router.post('/webhook', async (ctx) => {
      // Before anything else is looked at: an unsigned body deserves no parsing error either.
      if (!isSigned(this.#secret, ctx.request.rawBody ?? Buffer.alloc(0), ctx.get('X-Hub-Signature-256'))) {
        throw new HttpError(401, 'expected X-Hub-Signature-256 to be the signature of the body by GITHUB_WEBHOOK_SECRET', {
          code: 'unauthorized',
        })
      }
      const reading = readDelivery(ctx.get('X-GitHub-Event'), ctx.get('X-GitHub-Delivery'), ctx.request.body)
      if (!reading.ok) throw new HttpError(400, reading.message, { code: 'bad_request' })
      const { id, event, action, name, payload } = reading.delivery
      const data = { delivery_id: id, event, action, payload }
      const eventId = await this.getService('db').transaction(async (tx) => {
        // Of two that come at the same moment, the second waits here for the first.
        const fresh = await tx.query('insert into deliveries (id) values ($1) on conflict (id) do nothing returning id', [id])
        if (fresh.length === 0) {
          const [known] = await tx.query<{ event_id: string }>('select event_id from deliveries where id = $1', [id])
          return known?.event_id
        }
        const emitted = await this.ctx.events.emit(name, data, { tx, idempotencyKey: id })
        await tx.query('update deliveries set event_id = $2 where id = $1', [id, emitted])
        return emitted
      })
      ctx.status = 202
      ctx.body = { event_id: eventId, name }
    })
    return router
  }
}
