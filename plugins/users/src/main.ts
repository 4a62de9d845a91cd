import { randomUUID } from 'node:crypto'
import { action, error, HttpError, ok, Router, TrustedBase, Type, validated } from '@xcore/sdk'
import type { Transaction } from '@xcore/sdk'
import { createUser, refusingTaken, UserDirectory } from './directory.ts'
import type { Refusal, Stored } from './directory.ts'
import { explain } from './refusal.ts'
import { CreateUser, UpdateUser, UserId } from './user.ts'

const OneUser = Type.Object({ user_id: UserId }, { additionalProperties: false })

/** Users, over routes and actions. Each new one is told to the other plugins by `user.created`, in the transaction that makes it. */
export default class Users extends TrustedBase {
  get #users(): UserDirectory {
    return new UserDirectory(this.getService('db'))
  }

  override actions = {
    create_user: action({
      description: 'Makes a user and emits user.created',
      input: CreateUser,
      handler: async (fields, job) => {
        // The user, the event and the outcome of this job are one transaction.
        const stored = await refusingTaken(() => job.transaction((tx) => this.#create(tx, job.id, fields)))
        return stored.kind === 'stored' ? ok({ user_id: stored.user.id, user: stored.user }) : refused(stored)
      },
    }),
    update_user: action({
      description: 'Changes the members that are given',
      input: Type.Object({ user_id: UserId, change: UpdateUser }, { additionalProperties: false }),
      handler: async ({ user_id: id, change }) => {
        const stored = await refusingTaken(() => this.#users.update(id, change))
        return stored.kind === 'stored' ? ok({ user: stored.user }) : refused(stored)
      },
    }),
    get_user: action({
      description: 'One user',
      input: OneUser,
      handler: async ({ user_id: id }) => {
        const user = await this.#users.find(id)
        return user === undefined ? refused({ kind: 'missing' }) : ok({ user })
      },
    }),
  }

  override getRouter() {
    const router = new Router({ prefix: '/users' })
    router.get('/', async (ctx) => {
      ctx.body = { users: await this.#users.list() }
    })
    router.post('/', async (ctx) => {
      const body = validated(CreateUser, ctx.request.body)
      const stored = await refusingTaken(() => this.getService('db').transaction((tx) => this.#create(tx, randomUUID(), body)))
      if (stored.kind !== 'stored') throw refusedOverHttp(stored)
      ctx.status = 201
      ctx.set('Location', `/plugins/${this.ctx.name}/users/${stored.user.id}`)
      ctx.body = stored.user
    })
    router.get('/:id', async (ctx) => {
      const user = await this.#users.find(ctx.params.id ?? '')
      if (user === undefined) throw refusedOverHttp({ kind: 'missing' })
      ctx.body = user
    })
    router.put('/:id', async (ctx) => {
      const body = validated(UpdateUser, ctx.request.body)
      const stored = await refusingTaken(() => this.#users.update(ctx.params.id ?? '', body))
      if (stored.kind !== 'stored') throw refusedOverHttp(stored)
      ctx.body = stored.user
    })
    return router
  }

  /** A user and the news of it: both, or neither. */
  async #create(tx: Transaction, id: string, fields: CreateUser): Promise<Stored> {
    const { fresh, stored } = await createUser(tx, id, fields)
    if (fresh && stored.kind === 'stored') await this.ctx.events.emit('user.created', { ...stored.user }, { tx })
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
