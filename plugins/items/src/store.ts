import type { Db } from '@xcore/sdk'
import type { Item, ItemChange, NewItem } from './item.ts'

export const MAX_ITEMS = 10_000

interface ItemRow {
  readonly id: string
  readonly fields: Omit<Item, 'id'>
}

/** The items of all processes, in the plugin's own schema. */
export class ItemStore {
  readonly #db: Pick<Db, 'query'>

  constructor(db: Pick<Db, 'query'>) {
    this.#db = db
  }

  /** In the order in which they were made. */
  async list(): Promise<readonly Item[]> {
    return (await this.#db.query<ItemRow>('select id, fields from items order by nth')).map(itemOf)
  }

  async find(id: string): Promise<Item | undefined> {
    const [row] = await this.#db.query<ItemRow>('select id, fields from items where id = $1', [id])
    return row === undefined ? undefined : itemOf(row)
  }

  /** undefined: the store is full. The same id again gives the first item: a job that is tried again makes no second one. */
  async create(id: string, { id: _none, ...fields }: NewItem): Promise<Item | undefined> {
    const [made] = await this.#db.query<ItemRow>(
      `insert into items (id, fields) select $1, $2 where (select count(*) from items) < $3
       on conflict (id) do nothing returning id, fields`,
      [id, fields, MAX_ITEMS],
    )
    return made === undefined ? this.find(id) : itemOf(made)
  }

  /** undefined: no such item. */
  async update(id: string, { id: _same, ...change }: ItemChange): Promise<Item | undefined> {
    const [row] = await this.#db.query<ItemRow>('update items set fields = fields || $2 where id = $1 returning id, fields', [id, change])
    return row === undefined ? undefined : itemOf(row)
  }

  async delete(id: string): Promise<boolean> {
    return (await this.#db.query('delete from items where id = $1 returning id', [id])).length > 0
  }
}

function itemOf({ id, fields }: ItemRow): Item {
  return { ...fields, id }
}
