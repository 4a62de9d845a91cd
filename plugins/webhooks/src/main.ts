import { action, error, HttpError, ok, Router, TrustedBase, Type, validated } from '@xcore/sdk'
import type { EventMessage } from '@xcore/sdk'
import { Endpoints, withoutSecret } from './endpoints.ts'
import type { Added, EndpointRequest } from './endpoints.ts'
import { bodyOf, signedHeaders, webhookId } from './message.ts'
import { post } from './send.ts'
import { EndpointBody, EndpointInput, EndpointRef, readSettings } from './settings.ts'
import { judge } from './verdict.ts'

const DeliverInput = Type.Object({
  endpoint_id: Type.String(),
  event: Type.Object({ id: Type.String(), name: Type.String(), source: Type.String(), time: Type.String(), data: Type.Unknown() }),
})

/**
 * Outgoing webhooks. An event becomes one `deliver` job per endpoint that asks for it, so each endpoint is retried, and can
 * fail, by itself. Endpoints live in this process's memory; those of the manifest's `config` are known to every process.
 */
export default class Webhooks extends TrustedBase {
  #endpoints = new Endpoints('', false)
  #allowPrivate = false
  #subscribed = new Set<string>()

  override async onLoad() {
    const settings = readSettings(this.ctx.config, this.ctx.env)
    this.#allowPrivate = settings.allowPrivate
    this.#endpoints = new Endpoints(settings.masterSecret, settings.allowPrivate)
    for (const endpoint of settings.endpoints) {
      const added = this.#endpoints.add(endpoint)
      if (!added.ok) throw new Error(`plugin.yaml: config.endpoints: ${endpoint.url}: ${added.message}`)
    }
    if (settings.secretIsRandom && settings.endpoints.length > 0) {
      this.logger.warn('WEBHOOKS_SECRET is not set: derived secrets of endpoints change at every start and differ between processes')
    }
    // Known to every process once this plugin is ready: not to be waited for in here.
    void this.#subscribe()
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
        if (!(await this.#remove(id))) return error(`no endpoint ${id}`, { code: 'not_found' })
        return ok({ removed: id })
      },
    }),
    list_endpoints: action({
      description: 'All endpoints, without their secrets',
      handler: async () => ok({ endpoints: this.#endpoints.list() }),
    }),
    deliver: action({
      description: 'One delivery to one endpoint; made by this plugin for each matching event',
      input: DeliverInput,
      handler: async ({ endpoint_id: endpointId, event }, job) => {
        const endpoint = this.#endpoints.find(endpointId)
        if (endpoint === undefined) {
          return error(`endpoint ${endpointId} is not known to this process: it was removed, or added before a restart`, {
            code: 'endpoint_unknown',
          })
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
    router.get('/', (ctx) => {
      ctx.body = { endpoints: this.#endpoints.list() }
    })
    router.post('/', async (ctx) => {
      const body = validated(EndpointBody, ctx.request.body)
      const added = await this.#add(body)
      if (!added.ok) throw new HttpError(422, added.message, { code: added.code })
      ctx.status = added.replaced ? 200 : 201
      ctx.body = added.endpoint
    })
    router.get('/:id/secret', (ctx) => {
      const endpoint = this.#endpoints.find(ctx.params.id ?? '')
      if (endpoint === undefined) throw new HttpError(404, 'no such endpoint', { code: 'not_found' })
      ctx.body = { secret: endpoint.secret }
    })
    router.delete('/:id', async (ctx) => {
      if (!(await this.#remove(ctx.params.id ?? ''))) throw new HttpError(404, 'no such endpoint', { code: 'not_found' })
      ctx.status = 204
    })
    return router
  }

  async #add(request: EndpointRequest): Promise<Added> {
    const added = this.#endpoints.add(request)
    if (added.ok) await Promise.all(this.#subscribe())
    return added
  }

  async #remove(id: string): Promise<boolean> {
    const removed = this.#endpoints.remove(id)
    if (removed) await Promise.all(this.#subscribe())
    return removed
  }

  /** Brings the subscriptions in line with what the endpoints ask for, one per pattern. Settled once every process knows. */
  #subscribe(): Promise<void>[] {
    const known: Promise<void>[] = []
    const wanted = this.#endpoints.patterns()
    for (const pattern of wanted) {
      if (this.#subscribed.has(pattern)) continue
      this.#subscribed.add(pattern)
      known.push(this.ctx.events.on(pattern, (event: EventMessage) => this.#fanOut(pattern, event), { id: `pattern:${pattern}` }).ready)
    }
    for (const pattern of this.#subscribed) {
      if (wanted.has(pattern)) continue
      this.#subscribed.delete(pattern)
      known.push(this.ctx.events.off(pattern))
    }
    return known
  }

  /** The key makes it one delivery also when two patterns of an endpoint match, or when this handler is retried. */
  async #fanOut(pattern: string, event: EventMessage): Promise<void> {
    const { id, name, source, time, data } = event
    await Promise.all(
      this.#endpoints
        .askingFor(pattern)
        .map((endpoint) =>
          this.enqueue(
            this.ctx.name,
            'deliver',
            { endpoint_id: endpoint.id, event: { id, name, source, time, data } },
            { idempotencyKey: webhookId(id, endpoint.id) },
          ),
        ),
    )
  }
}
