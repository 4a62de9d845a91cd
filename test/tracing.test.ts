import assert from 'node:assert/strict'
import { SpanKind, context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { test } from 'node:test'
import { composeStandalone } from '../apps/cli/compose.ts'
import { loadConfig } from '../libs/config/index.ts'
import { testDatabase } from '../libs/postgres/testing/index.ts'
import { createLogger } from '../libs/telemetry/index.ts'
import { testFolder } from './cli-process.ts'

const FILES = {
  'plugins/shop/plugin.yaml': 'name: shop\nversion: 1.0.0\nruntime:\n  retry: { max_attempts: 2, backoff_seconds: 0.01 }\n',
  'plugins/shop/src/main.ts': `
    import { TrustedBase, action, ok } from '@xcore/sdk'
    export default class Shop extends TrustedBase {
      override actions = {
        order: action({ handler: async (payload, job) => {
          if (job.attempt === 1) throw new Error('not yet')
          await this.ctx.events.emit('order.placed', { id: job.id })
          return this.callPlugin('mail', 'send', {})
        } }),
      }
    }`,
  'plugins/mail/plugin.yaml': 'name: mail\nversion: 1.0.0\n',
  'plugins/mail/src/main.ts': `
    import { TrustedBase, action, ok } from '@xcore/sdk'
    export default class Mail extends TrustedBase {
      override async onLoad() { this.ctx.events.on('order.placed', async () => ok()) }
      override actions = { send: action({ handler: async () => ok() }) }
    }`,
}
const REMOTE = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }

test('one trace from the request over the log to handlers, and to what these emit and call', async () => {
  const exporter = new InMemorySpanExporter()
  const ended = new Map<string, () => void>()
  const provider = new BasicTracerProvider({
    spanProcessors: [
      new SimpleSpanProcessor(exporter),
      {
        onStart() {},
        onEnd: (span) => ended.get(String(span.attributes['xcore.job.name']))?.(),
        forceFlush: async () => {},
        shutdown: async () => {},
      },
    ],
  })
  trace.setGlobalTracerProvider(provider)
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  await using folder = await testFolder()
  await folder.write(FILES)
  await using database = await testDatabase()
  const config = loadConfig({ cwd: folder.path, env: { DATABASE_URL: database.url, XCORE_HTTP_PORT: '0' } })
  const delivered = Promise.withResolvers<void>()
  ended.set('order.placed', delivered.resolve)
  const xcore = await composeStandalone({ config, logger: createLogger({ level: 'silent' }), signal: new AbortController().signal })
  try {
    const response = await fetch(`${xcore.url}/ipc/shop/order`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'wait=20', traceparent: `00-${REMOTE.traceId}-${REMOTE.spanId}-01` },
      body: '{}',
    })
    assert.equal(response.status, 200, await response.clone().text())
    await delivered.promise
    const scraped = await fetch(`${xcore.url}/metrics`, { headers: { accept: 'application/openmetrics-text' } })
    assert.match(
      await scraped.text(),
      new RegExp(`^xcore_job_run_seconds_bucket\\{.*plugin="shop".*# \\{trace_id="${REMOTE.traceId}"\\}`, 'm'),
    )
  } finally {
    await xcore.stop(5_000)
    trace.disable()
    context.disable()
  }

  // pg-boss and others add spans of their own.
  const spans = exporter
    .getFinishedSpans()
    .filter((span) => span.spanContext().traceId === REMOTE.traceId && span.instrumentationScope.name === 'xcore')
  const childrenOf = (id: string) => spans.filter((span) => span.parentSpanContext?.spanId === id)
  const only = (found: readonly ReadableSpan[]): ReadableSpan => {
    const [first] = found
    assert.ok(first !== undefined && found.length === 1, found.map(({ name }) => name).join(', '))
    return first
  }
  const server = only(childrenOf(REMOTE.spanId))
  assert.deepEqual([server.name, server.kind], ['POST /ipc/:plugin/:action', SpanKind.SERVER])
  assert.equal(server.attributes['http.response.status_code'], 200)
  const send = only(childrenOf(server.spanContext().spanId))
  assert.deepEqual([send.name, send.kind, send.attributes['messaging.system']], ['send shop', SpanKind.PRODUCER, 'xcore'])
  const attempts = childrenOf(send.spanContext().spanId)
  assert.deepEqual(
    attempts.map(({ name, kind, attributes }) => [name, kind, attributes['xcore.job.attempt'], attributes['xcore.job.outcome']]),
    [
      ['process shop', SpanKind.CONSUMER, 1, 'retry'],
      ['process shop', SpanKind.CONSUMER, 2, 'succeeded'],
    ],
  )
  assert.equal(attempts[0]?.attributes['messaging.message.id'], send.attributes['messaging.message.id'])
  assert.equal(attempts[0]?.attributes['error.type'], 'handler_error')
  const caused = childrenOf(attempts[1]?.spanContext().spanId ?? '')
  assert.deepEqual(caused.map(({ name }) => name).sort(), ['send mail', 'send order.placed'])
  for (const cause of caused) assert.equal(only(childrenOf(cause.spanContext().spanId)).name, 'process mail')
})
