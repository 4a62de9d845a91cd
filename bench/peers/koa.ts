import { once } from 'node:events'
import type { Server } from 'node:http'
import Router from '@koa/router'
import { Queue } from 'bullmq'
import Koa from 'koa'
import getRawBody from 'raw-body'
import { parseOwnJson } from '../harness/own-json.ts'
import type { HttpContender } from '../harness/contender.ts'

const PATH = '/ipc/noop/noop'
const LIMIT = 262_144

type Accept = (plugin: string, action: string, payload: unknown) => Promise<string> | string

async function serve(accept: Accept, release: () => Promise<void>) {
  const router = new Router()
  router.post('/ipc/:plugin/:action', async (ctx) => {
    const body = parseOwnJson<{ payload?: unknown }>(await getRawBody(ctx.req, { limit: LIMIT, encoding: 'utf8' }))
    const { plugin = '', action = '' } = ctx.params
    const jobId = await accept(plugin, action, body.payload)
    ctx.status = 202
    ctx.set('Location', `/jobs/${jobId}`)
    ctx.body = { job_id: jobId, status: 'queued', plugin, action }
  })
  const server: Server = new Koa().use(router.routes()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address === null || typeof address === 'string' ? 0 : address.port
  return {
    url: `http://127.0.0.1:${port}${PATH}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await release()
    },
  }
}

export const koaNoop: HttpContender = {
  name: 'koa-noop',
  setup: 'Koa, @koa/router, body parsed, nothing stored',
  needsRedis: false,
  prepare: async () => {},
  serve: () =>
    serve(
      () => crypto.randomUUID(),
      async () => {},
    ),
}

export const koaBullmq: HttpContender = {
  name: 'koa-bullmq',
  setup: 'the same with one BullMQ add a request',
  needsRedis: true,
  prepare: async () => {},
  async serve({ redisUrl }) {
    const queue = new Queue('bench', { connection: { url: redisUrl, maxRetriesPerRequest: null } })
    await queue.waitUntilReady()
    return serve(
      async (plugin, action, payload) => (await queue.add(`${plugin}/${action}`, payload, { removeOnComplete: true })).id ?? '',
      () => queue.close(),
    )
  },
}
