import { randomBytes } from 'node:crypto'
import { action, error, HttpError, ok, Router, TrustedBase, Type, validated } from '@xcore/sdk'
import type { EventMessage, JobContext } from '@xcore/sdk'
import { checkRequest, Endpoints, masterSecret, withoutSecret } from './endpoints.ts'
import type { Added, EndpointRequest } from './endpoints.ts'
import { bodyOf, emittedAt, signedHeaders, webhookId } from './message.ts'
import { post } from './send.ts'
import { EndpointBody, EndpointInput, EndpointRef, readSettings } from './settings.ts'
import { judge } from './verdict.ts'

const DeliverInput = Type.Object({
  endpoint_id: Type.String(),
  event: Type.Object({ id: Type.String(), name: Type.String(), source: Type.String(), time: Type.String(), data: Type.Unknown() }),
})

/**
 * Outgoing webhooks. An event becomes one `deliver` job per endpoint that asks for it, so each endpoint is retried, and can
 * fail, by itself. Endpoints live in the plugin's schema, those of the manifest's `config` as well.
 */
export default class Webhooks extends TrustedBase {
  #masterSecret = ''
  #allowPrivate = false

  override async onLoad() {
    const settings = readSettings(this.ctx.config, this.ctx.env)
    this.#allowPrivate = settings.allowPrivate
    this.#masterSecret = await masterSecret(this.getService('db'), settings.masterSecret, () => randomBytes(32).toString('base64'))
    const configured = settings.endpoints.map((endpoint) => {
      const checked = checkRequest(endpoint, settings.allowPrivate)
      if (!checked.ok) throw new Error(`plugin.yaml: config.endpoints: ${endpoint.url}: ${checked.message}`)
      return checked.endpoint
    })
    await this.#endpoints.configure(configured)
    // Of all events: which of them are asked for changes at any time, in any process.
    this.ctx.events.on('*', this.#fanOut, { id: 'fan-out' })
  }

  get #endpoints(): Endpoints {
    return new Endpoints(this.getService('db'), this.#masterSecret)
  }

  override actions = {
    add_endpoint: action({
      description: 'Subscribes a URL to events',
      input: EndpointInput,
      handler: async (request) => {
        const added = await this.#add(request)
        return added.ok
          ? ok({ endpoint: withoutSecret(added.endpoint), replaced: added.replaced })
          : error(added.message, { code: added.code })
      },
    }),
    remove_endpoint: action({
      description: 'Forgets an endpoint; deliveries that wait for it end as failed',
      input: EndpointRef,
      handler: async ({ id }) => {
        if (!(await this.#endpoints.remove(id))) return error(`no endpoint ${id}`, { code: 'not_found' })
        return ok({ removed: id })
      },
    }),
    list_endpoints: action({
      description: 'All endpoints, without their secrets',
      handler: async () => ok({ endpoints: await this.#endpoints.list() }),
    }),
    deliver: action({
      description: 'One delivery to one endpoint; made by this plugin for each matching event',
      input: DeliverInput,
      handler: async ({ endpoint_id: endpointId, event }, job) => {
        const endpoint = await this.#endpoints.find(endpointId)
        if (endpoint === undefined) {
          return error(`endpoint ${endpointId} is not known: it was removed`, { code: 'endpoint_unknown' })
        }
        const now = new Date()
        const body = bodyOf(event)
        const headers = signedHeaders(webhookId(event.id, endpoint.id), body, endpoint.secret, now)
        const answer = await post({ url: endpoint.url, headers, body, allowPrivate: this.#allowPrivate, signal: job.signal })
        const verdict = judge(answer, new Date())
        switch (verdict.kind) {
          case 'delivered':
            return ok({ endpoint_id: endpoint.id, http_status: verdict.status })
          case 'rejected':
            return error(verdict.message, { code: verdict.code })
          case 'retry':
            return error(verdict.message, {
              code: 'endpoint_unavailable',
              retryable: true,
              ...(verdict.afterSeconds === undefined ? {} : { retryAfterSeconds: verdict.afterSeconds }),
            })
        }
      },
    }),
  }

  override getRouter() {
    const router = new Router({ prefix: '/endpoints' })
    router.get('/', async (ctx) => {
      ctx.body = { endpoints: await this.#endpoints.list() }
    })
    router.post('/', async (ctx) => {
      const body = validated(EndpointBody, ctx.request.body)
      const added = await this.#add(body)
      if (!added.ok) throw new HttpError(422, added.message, { code: added.code })
      ctx.status = added.replaced ? 200 : 201
      ctx.body = added.endpoint
    })
    router.get('/:id/secret', async (ctx) => {
      const endpoint = await this.#endpoints.find(ctx.params.id ?? '')
      if (endpoint === undefined) throw new HttpError(404, 'no such endpoint', { code: 'not_found' })
      ctx.body = { secret: endpoint.secret }
    })
    router.delete('/:id', async (ctx) => {
      if (!(await this.#endpoints.remove(ctx.params.id ?? ''))) throw new HttpError(404, 'no such endpoint', { code: 'not_found' })
      ctx.status = 204
    })
    return router
  }

  async #add(request: EndpointRequest): Promise<Added> {
    const checked = checkRequest(request, this.#allowPrivate)
    return checked.ok ? this.#endpoints.add(checked.endpoint) : checked
  }

  /** All deliveries of an event, or none; the keys make it one per endpoint also when the event is replayed. */
  readonly #fanOut = async (event: EventMessage, job: JobContext): Promise<void> => {
    const { id, name, source, time, data } = event
    // A delivery that nobody takes is not to be told of by further deliveries.
    if (name === 'job.dead' && data['plugin'] === this.ctx.name) return
    const receivers = await this.#endpoints.askingFor(name, emittedAt(id))
    if (receivers.length === 0) return
    await job.transaction(async (tx) => {
      for (const receiver of receivers) {
        const delivery = { endpoint_id: receiver, event: { id, name, source, time, data } }
        await this.enqueue(this.ctx.name, 'deliver', delivery, { tx, idempotencyKey: webhookId(id, receiver) })
      }
    })
  }
}
