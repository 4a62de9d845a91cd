import { setTimeout as pause } from 'node:timers/promises'
import { action, ok, Router, TrustedBase, Type } from '@xcore/sdk'
import type { EventMessage } from '@xcore/sdk'
import { greeting, LANGUAGES, Welcomes } from './greeting.ts'

const Name = Type.String({ minLength: 1, maxLength: 100 })

/** The first plugin to try: each action shows one thing that XCore does. */
export default class Hello extends TrustedBase {
  readonly #welcomes = new Welcomes(100)

  override async onLoad() {
    this.ctx.events.on('user.created', this.welcome)
  }

  override actions = {
    ping: action({
      description: 'Answers pong',
      handler: async () => ok({ message: 'pong' }),
    }),
    echo: action({
      description: 'Gives back what it was given, and what the job knows of itself',
      input: Type.Record(Type.String(), Type.Unknown()),
      handler: async (payload, job) => ok({ received: payload, job_id: job.id, attempt: job.attempt, priority: job.priority }),
    }),
    greet: action({
      description: 'Greets by name; a payload that does not fit is refused before a job is made',
      input: Type.Object(
        { name: Name, language: Type.Optional(Type.Union(LANGUAGES.map((language) => Type.Literal(language)))) },
        { additionalProperties: false },
      ),
      handler: async ({ name, language }) => ok({ greeting: greeting(name, language) }),
    }),
    slow: action({
      description: 'Takes its time: longer than 2 seconds is a timeout and a second attempt',
      input: Type.Object({ seconds: Type.Number({ minimum: 0, maximum: 60 }) }, { additionalProperties: false }),
      handler: async ({ seconds }, job) => {
        await pause(seconds * 1000, undefined, { signal: job.signal })
        return ok({ slept_seconds: seconds })
      },
    }),
    flaky: action({
      description: 'Throws in its first attempts, then succeeds: shows retries and backoff',
      input: Type.Object({ failures: Type.Optional(Type.Integer({ minimum: 0, maximum: 10 })) }, { additionalProperties: false }),
      handler: async ({ failures = 1 }, job) => {
        if (job.attempt <= failures) throw new Error(`attempt ${job.attempt} fails, as was asked for (failures: ${failures})`)
        return ok({ attempts: job.attempt })
      },
    }),
  }

  override getRouter() {
    const router = new Router()
    router.get('/', (ctx) => {
      ctx.body = { greeting: greeting('World'), version: this.ctx.version }
    })
    router.get('/greet/:name', (ctx) => {
      ctx.body = { greeting: greeting((ctx.params.name ?? '').slice(0, 100)) }
    })
    // Whom the subscription to user.created has welcomed since the start.
    router.get('/welcomes', (ctx) => {
      ctx.body = { welcomes: this.#welcomes.newestFirst() }
    })
    return router
  }

  private welcome(event: EventMessage): void {
    const text = this.#welcomes.add(event.id, event.data)
    if (text !== undefined) this.logger.info({ event_id: event.id }, text)
  }
}
