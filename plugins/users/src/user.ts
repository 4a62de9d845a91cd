import { Type } from '@xcore/sdk'
import type { Static } from '@xcore/sdk'

const Username = Type.String({ minLength: 3, maxLength: 50 })
// `format` alone admits a domain of one label, such as user@localhost.
const Email = Type.String({ format: 'email', pattern: '@.+\\..+', maxLength: 254 })
const Age = Type.Integer({ minimum: 0, maximum: 150 })

export const UserId = Type.String({ minLength: 1, maxLength: 100 })
export const CreateUser = Type.Object({ username: Username, email: Email, age: Age }, { additionalProperties: false })
/** What is left out stays as it is. */
export const UpdateUser = Type.Object(
  { username: Type.Optional(Username), email: Type.Optional(Email), age: Type.Optional(Age) },
  { additionalProperties: false, minProperties: 1 },
)
export type CreateUser = Static<typeof CreateUser>
export type UpdateUser = Static<typeof UpdateUser>

export type User = CreateUser & { readonly id: string }
