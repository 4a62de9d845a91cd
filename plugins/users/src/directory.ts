import { sqlFault } from '@xcore/sdk'
import type { Db, Transaction } from '@xcore/sdk'
import type { CreateUser, UpdateUser, User } from './user.ts'

export const MAX_USERS = 10_000

export type Refusal =
  { readonly kind: 'taken'; readonly field: 'username' | 'email' } | { readonly kind: 'missing' } | { readonly kind: 'full' }
export type Stored = { readonly kind: 'stored'; readonly user: User } | Refusal

const COLUMNS = 'id, username, email, age'

/** The users of all processes, in the plugin's own schema. Usernames and e-mail addresses are unique, whatever their case. */
export class UserDirectory {
  readonly #db: Pick<Db, 'query'>

  constructor(db: Pick<Db, 'query'>) {
    this.#db = db
  }

  /** In the order in which they were made. */
  list(): Promise<readonly User[]> {
    return this.#db.query<User>(`select ${COLUMNS} from users order by nth`)
  }

  async find(id: string): Promise<User | undefined> {
    return (await this.#db.query<User>(`select ${COLUMNS} from users where id = $1`, [id]))[0]
  }

  /** Throws `Taken`. */
  async update(id: string, change: UpdateUser): Promise<Stored> {
    const [user] = await this.#db
      .query<User>(
        `update users set username = coalesce($2, username), email = coalesce($3, email), age = coalesce($4, age)
         where id = $1 returning ${COLUMNS}`,
        [id, change.username, change.email, change.age],
      )
      .catch(rethrown)
    return user === undefined ? { kind: 'missing' } : { kind: 'stored', user }
  }
}

/**
 * Makes a user in a transaction. `fresh` is false for an id that is there already: a job that is tried again makes no second one.
 * Throws `Taken`, after which the transaction must be rolled back.
 */
export async function createUser(
  tx: Transaction,
  id: string,
  fields: CreateUser,
): Promise<{ readonly fresh: boolean; readonly stored: Stored }> {
  const [made] = await tx
    .query<User>(
      `insert into users (id, username, email, age) select $1, $2, $3, $4 where (select count(*) from users) < $5
       on conflict (id) do nothing returning ${COLUMNS}`,
      [id, fields.username, fields.email, fields.age, MAX_USERS],
    )
    .catch(rethrown)
  if (made !== undefined) return { fresh: true, stored: { kind: 'stored', user: made } }
  const [present] = await tx.query<User>(`select ${COLUMNS} from users where id = $1`, [id])
  return { fresh: false, stored: present === undefined ? { kind: 'full' } : { kind: 'stored', user: present } }
}

/** Another user has this username or e-mail address. */
export class Taken extends Error {
  readonly field: 'username' | 'email'

  constructor(field: 'username' | 'email') {
    super(`${field} taken`)
    this.field = field
  }
}

/** Runs `work`; what is taken is a value, everything else stays an error. */
export async function refusingTaken(work: () => Promise<Stored>): Promise<Stored> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof Taken) return { kind: 'taken', field: thrown.field }
    throw thrown
  }
}

function rethrown(thrown: unknown): never {
  const constraint = sqlFault(thrown)?.constraint
  if (constraint === 'users_username') throw new Taken('username')
  if (constraint === 'users_email') throw new Taken('email')
  throw thrown
}
