import type { Item, ItemChange, NewItem } from './item.ts'

export const MAX_ITEMS = 10_000

/** The items of this process, in the order in which they were made. */
export class ItemStore {
  readonly #items = new Map<string, Item>()

  list(): readonly Item[] {
    return [...this.#items.values()]
  }

  find(id: string): Item | undefined {
    return this.#items.get(id)
  }

  /** undefined: the store is full. The same id again gives the first item: a job that is tried again makes no second one. */
  create(id: string, { id: _none, ...fields }: NewItem): Item | undefined {
    const present = this.#items.get(id)
    if (present !== undefined) return present
    if (this.#items.size >= MAX_ITEMS) return undefined
    const item: Item = { id, ...fields }
    this.#items.set(id, item)
    return item
  }

  /** undefined: no such item. */
  update(id: string, change: ItemChange): Item | undefined {
    const present = this.#items.get(id)
    if (present === undefined) return undefined
    const item: Item = { ...present, ...change, id }
    this.#items.set(id, item)
    return item
  }

  delete(id: string): boolean {
    return this.#items.delete(id)
  }
}
