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
      const eventId = await this.ctx.events.emit(name, { delivery_id: id, event, action, payload }, { idempotencyKey: id })
      ctx.status = 202
      ctx.body = { event_id: eventId, name }
    })
    return router
  }
}
