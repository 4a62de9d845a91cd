import { request as httpRequest, type IncomingMessage } from 'node:http'
import { duplexPair } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import Koa from 'koa'
import { createAuthorize } from '../../../../apps/api/auth.ts'
import type { ApiState } from '../../../../apps/api/handler.ts'
import { createHttpServer } from '../../../../apps/api/http-server.ts'
import { observe } from '../../../../apps/api/observe.ts'
import { mountPlugins } from '../../../../apps/api/plugin-mount.ts'
import { unmatched } from '../../../../apps/api/routing.ts'
import { testDeps } from '../../../../apps/api/testing/start-api.ts'
import type { PluginHost } from '../../../plugin-host/index.ts'
import type { Logger } from '../../../telemetry/index.ts'
import { bodyOf } from '../body.ts'
import type { RequestOptions } from '../port.ts'

const PAYLOAD_BYTES = 262_144

/** Asks the plugins' routes as the api serves them, through memory instead of a socket. Rate limits and keys are left out. */
export function createRequester(host: PluginHost, logger: Logger, now: () => Date) {
  const api = { ...testDeps(), host, logger, now, limits: { payloadBytes: PAYLOAD_BYTES }, stopping: new AbortController().signal }
  const app = new Koa<ApiState>()
  app.silent = true
  app.use(observe(api))
  app.use(mountPlugins(api, createAuthorize([])))
  app.use(unmatched)
  const server = createHttpServer(app.callback(), PAYLOAD_BYTES)

  return async function request(method: string, path: string, options: RequestOptions): Promise<Response> {
    const [near, far] = duplexPair()
    server.emit('connection', far)
    const { headers, body } = bodyOf(options)
    const answer = Promise.withResolvers<IncomingMessage>()
    const asked = httpRequest({
      createConnection: () => near,
      method,
      path,
      host: 'localhost',
      headers: { ...headers, connection: 'close' },
    })
    asked.once('response', answer.resolve)
    asked.once('error', answer.reject)
    asked.end(body)
    const response = await answer.promise
    const bytes = await buffer(response)
    near.destroy()
    const status = response.statusCode ?? 500
    const bare = status === 204 || status === 304
    return new Response(bare ? null : Uint8Array.from(bytes), { status, headers: headersOf(response) })
  }
}

function headersOf(response: IncomingMessage): Headers {
  const headers = new Headers()
  for (let index = 0; index + 1 < response.rawHeaders.length; index += 2) {
    headers.append(response.rawHeaders[index] ?? '', response.rawHeaders[index + 1] ?? '')
  }
  return headers
}
