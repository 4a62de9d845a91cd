import type { CreateUser, UpdateUser, User } from './user.ts'

export const MAX_USERS = 10_000

export type Refusal =
  { readonly kind: 'taken'; readonly field: 'username' | 'email' } | { readonly kind: 'missing' } | { readonly kind: 'full' }
export type Stored = { readonly kind: 'stored'; readonly user: User } | Refusal

/** The users of this process. Usernames and e-mail addresses are unique, whatever their case. */
export class UserDirectory {
  readonly #byId = new Map<string, User>()
  readonly #owners = { username: new Map<string, string>(), email: new Map<string, string>() }

  list(): readonly User[] {
    return [...this.#byId.values()]
  }

  find(id: string): User | undefined {
    return this.#byId.get(id)
  }

  /** The same id again gives the first user: a job that is tried again makes no second one. */
  create(id: string, fields: CreateUser): Stored {
    const present = this.#byId.get(id)
    if (present !== undefined) return { kind: 'stored', user: present }
    if (this.#byId.size >= MAX_USERS) return { kind: 'full' }
    return this.#store({ id, ...fields })
  }

  update(id: string, change: UpdateUser): Stored {
    const present = this.#byId.get(id)
    return present === undefined ? { kind: 'missing' } : this.#store({ ...present, ...change }, present)
  }

  delete(id: string): boolean {
    const present = this.#byId.get(id)
    if (present === undefined) return false
    this.#release(present)
    return this.#byId.delete(id)
  }

  #store(user: User, previous?: User): Stored {
    for (const field of ['username', 'email'] as const) {
      const owner = this.#owners[field].get(user[field].toLowerCase())
      if (owner !== undefined && owner !== user.id) return { kind: 'taken', field }
    }
    if (previous !== undefined) this.#release(previous)
    this.#owners.username.set(user.username.toLowerCase(), user.id)
    this.#owners.email.set(user.email.toLowerCase(), user.id)
    this.#byId.set(user.id, user)
    return { kind: 'stored', user }
  }

  #release(user: User): void {
    this.#owners.username.delete(user.username.toLowerCase())
    this.#owners.email.delete(user.email.toLowerCase())
  }
}
