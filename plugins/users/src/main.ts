import { randomUUID } from 'node:crypto'
import { action, error, HttpError, ok, Router, TrustedBase, Type, validated } from '@xcore/sdk'
import { UserDirectory } from './directory.ts'
import type { Refusal, Stored } from './directory.ts'
import { explain } from './refusal.ts'
import { CreateUser, UpdateUser, UserId } from './user.ts'

const OneUser = Type.Object({ user_id: UserId }, { additionalProperties: false })

/** Users, over routes and actions. Each new one is told to the other plugins by `user.created`. Kept in this process's memory. */
export default class Users extends TrustedBase {
  readonly #users = new UserDirectory()

  override actions = {
    create_user: action({
      description: 'Makes a user and emits user.created',
      input: CreateUser,
      handler: async (fields, job) => {
        const stored = await this.#create(job.id, fields)
        return stored.kind === 'stored' ? ok({ user_id: stored.user.id, user: stored.user }) : refused(stored)
      },
    }),
    update_user: action({
      description: 'Changes the members that are given',
      input: Type.Object({ user_id: UserId, change: UpdateUser }, { additionalProperties: false }),
      handler: async ({ user_id: id, change }) => {
        const stored = this.#users.update(id, change)
        return stored.kind === 'stored' ? ok({ user: stored.user }) : refused(stored)
      },
    }),
    get_user: action({
      description: 'One user',
      input: OneUser,
      handler: async ({ user_id: id }) => {
        const user = this.#users.find(id)
        return user === undefined ? refused({ kind: 'missing' }) : ok({ user })
      },
    }),
  }

  override getRouter() {
    const router = new Router({ prefix: '/users' })
    router.get('/', (ctx) => {
      ctx.body = { users: this.#users.list() }
    })
    router.post('/', async (ctx) => {
      const body = validated(CreateUser, ctx.request.body)
      const stored = await this.#create(randomUUID(), body)
      if (stored.kind !== 'stored') throw refusedOverHttp(stored)
      ctx.status = 201
      ctx.set('Location', `/plugins/${this.ctx.name}/users/${stored.user.id}`)
      ctx.body = stored.user
    })
    router.get('/:id', (ctx) => {
      const user = this.#users.find(ctx.params.id ?? '')
      if (user === undefined) throw refusedOverHttp({ kind: 'missing' })
      ctx.body = user
    })
    router.put('/:id', (ctx) => {
      const body = validated(UpdateUser, ctx.request.body)
      const stored = this.#users.update(ctx.params.id ?? '', body)
      if (stored.kind !== 'stored') throw refusedOverHttp(stored)
      ctx.body = stored.user
    })
    return router
  }

  /** A user whom nobody was told of is taken back, so that the caller may try again. */
  async #create(id: string, fields: CreateUser): Promise<Stored> {
    const stored = this.#users.create(id, fields)
    if (stored.kind !== 'stored') return stored
    try {
      await this.ctx.events.emit('user.created', { ...stored.user }, { idempotencyKey: `user.created:${id}` })
    } catch (thrown) {
      this.#users.delete(id)
      throw thrown
    }
    return stored
  }
}

function refused(refusal: Refusal) {
  const { code, statusCode, message } = explain(refusal)
  return error(message, { code, statusCode })
}

function refusedOverHttp(refusal: Refusal): HttpError {
  const { code, statusCode, message } = explain(refusal)
  return new HttpError(statusCode, message, { code })
}
