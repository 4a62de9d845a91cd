import { randomUUID } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { sign } from '@octokit/webhooks-methods'

/** One webhook delivery as GitHub would send it. */
export interface Delivery {
  readonly id: string
  readonly event: string
  readonly body: string
}

interface Definition {
  readonly name: string
  readonly examples: readonly object[]
}

/** Every payload in `@octokit/webhooks-examples`: github.com's and those of each GitHub Enterprise Server version. */
export async function realDeliveries(): Promise<readonly Delivery[]> {
  const folder = dirname(createRequire(import.meta.url).resolve('@octokit/webhooks-examples/package.json'))
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('index.json')).sort()
  const deliveries: Delivery[] = []
  for (const file of files) {
    // The one place where the package's JSON gets its type.
    const definitions = JSON.parse(await readFile(join(folder, file), 'utf8')) as readonly Definition[]
    for (const { name, examples } of definitions) {
      for (const payload of examples) deliveries.push({ id: randomUUID(), event: name, body: JSON.stringify(payload) })
    }
  }
  return deliveries
}

export interface Answer {
  readonly status: number
  readonly eventId: string | null
  readonly code: string | null
}

/** Posts a delivery, signed with `secret` by GitHub's own library. */
export async function deliver(url: string, delivery: Delivery, secret: string): Promise<Answer> {
  const response = await fetch(`${url}/plugins/github/webhook`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-github-event': delivery.event,
      'x-github-delivery': delivery.id,
      'x-hub-signature-256': await sign(secret, delivery.body),
    },
    body: delivery.body,
  })
  const body: unknown = await response.json()
  return { status: response.status, eventId: textAt(body, 'event_id'), code: textAt(body, 'code') }
}

/** Runs `task` on every item, `width` at a time; results in the order of the items. */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  width: number,
  task: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const queue = items.entries()
  // All lanes share one iterator: each takes the next item that is left.
  const lane = async () => {
    for (const [index, item] of queue) results[index] = await task(item)
  }
  await Promise.all(Array.from({ length: width }, lane))
  return results
}

function textAt(body: unknown, key: string): string | null {
  if (typeof body !== 'object' || body === null) return null
  const value: unknown = Reflect.get(body, key)
  return typeof value === 'string' ? value : null
}
