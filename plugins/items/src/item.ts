import { Type } from '@xcore/sdk'
import type { Static } from '@xcore/sdk'

// Members beyond these are kept as they come.
const fields = {
  description: Type.Optional(Type.String({ maxLength: 2000 })),
  price: Type.Optional(Type.Number({ minimum: 0 })),
  tags: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 50 }), { maxItems: 20 })),
}
const Name = Type.String({ minLength: 1, maxLength: 200 })

export const ItemId = Type.String({ minLength: 1, maxLength: 100 })
/** `id` is the plugin's to give. */
export const NewItem = Type.Object({ ...fields, name: Name, id: Type.Optional(Type.Never()) }, { maxProperties: 50 })
/** What is left out stays as it is. An `id` may come along, as clients send back what they got. */
export const ItemChange = Type.Object(
  { ...fields, name: Type.Optional(Name), id: Type.Optional(ItemId) },
  { minProperties: 1, maxProperties: 50 },
)
export type NewItem = Static<typeof NewItem>
export type ItemChange = Static<typeof ItemChange>

export type Item = Omit<NewItem, 'id'> & { readonly id: string }
