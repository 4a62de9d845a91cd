/** What `xcore plugin init` writes. */
export interface TemplateOptions {
  readonly name: string
  readonly sandboxed: boolean
  readonly routes: boolean
}

/** The files of a new plugin by their paths. Pure. */
export function pluginTemplate(options: TemplateOptions): Readonly<Record<string, string>> {
  return {
    'plugin.yaml': manifest(options),
    'src/main.ts': main(options),
    'src/main.test.ts': tests(options),
    'README.md': readme(options),
  }
}

function manifest({ name, sandboxed }: TemplateOptions): string {
  return `name: ${name}
version: 0.1.0
description: Greets people
execution_mode: ${sandboxed ? 'sandboxed' : 'trusted'}
framework_version: '>=3.0'

# What it may do, in order: the first rule that fits decides, no rule denies. ${sandboxed ? 'It has asked for nothing but its own events.' : 'It has asked for its own events and the cache.'}
permissions:
  - { resource: 'events:${name}.*', actions: [emit, subscribe], effect: allow }
${sandboxed ? '' : "  - { resource: 'cache.*', actions: [read, write], effect: allow }\n"}
resources:
  timeout_seconds: 10
`
}

function main({ name, sandboxed, routes }: TemplateOptions): string {
  const base = sandboxed ? 'SandboxedBase' : 'TrustedBase'
  const values = ['action', 'ok', ...(routes ? ['route', 'Router'] : []), base, 'Type']
  return `import { ${values.join(', ')} } from '@xcore/sdk'
import type { EventMessage, Static } from '@xcore/sdk'

const Person = Type.Object({ name: Type.String({ minLength: 1, maxLength: 100 }) })
const Greeting = Type.Object({ message: Type.String() })

export default class ${className(name)} extends ${base} {
  readonly #greeted: string[] = []

  override async onLoad() {
    this.ctx.events.on('${name}.greeted', this.remember, { schema: Person })
  }

  override actions = {
    greet: action({
      description: 'Greets a person',
      input: Person,
      output: Greeting,
      handler: async (person, job) => {
        await this.ctx.events.emit('${name}.greeted', person, { idempotencyKey: job.id })
        return ok({ message: \`Hello, \${person.name}!\` })
      },
    }),
  }
${routes ? routesOf() : ''}
  private remember(event: EventMessage<Static<typeof Person>>) {
    this.#greeted.push(event.data.name)
    return ok({ greeted: this.#greeted.length })
  }
}
`
}

function routesOf(): string {
  return `
  override getRouter() {
    const router = new Router()
    router.get('/greeted', route({ response: Type.Object({ names: Type.Array(Type.String()) }) }, () => ({ names: this.#greeted })))
    router.get(
      '/hello',
      route({ query: Person, response: Greeting }, (_ctx, { query }) => ({ message: \`Hello, \${query.name}!\` })),
    )
    return router
  }
`
}

function tests({ name, routes }: TemplateOptions): string {
  return `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadPlugin } from '@xcore/sdk/testing'

const FOLDER = new URL('..', import.meta.url)

test('greets', async () => {
  await using plugin = await loadPlugin(FOLDER)
  assert.deepEqual(await plugin.call('greet', { name: 'Ada' }), { status: 'ok', message: 'Hello, Ada!' })
})

test('refuses what is no person', async () => {
  await using plugin = await loadPlugin(FOLDER)
  const refused = await plugin.call('greet', { name: '' })
  assert.equal(refused.status === 'error' && refused.code, 'validation_error')
})

test('hears of its greetings', async () => {
  await using plugin = await loadPlugin(FOLDER)
  const [heard] = await plugin.emit('${name}.greeted', { name: 'Ada' })
  assert.equal(heard?.status, 'ok')
})
${routes ? routeTests() : ''}`
}

function routeTests(): string {
  return `
test('greets over HTTP', async () => {
  await using plugin = await loadPlugin(FOLDER)
  const hello = await plugin.request('GET', '/hello?name=Ada')
  assert.deepEqual([hello.status, await hello.json()], [200, { message: 'Hello, Ada!' }])
  assert.equal((await plugin.request('GET', '/hello')).status, 422)
})
`
}

function readme({ name, routes }: TemplateOptions): string {
  return `# ${name}

The action \`greet {name}\` answers \`{message}\` and emits \`${name}.greeted\`.${routes ? ` Routes: \`GET /plugins/${name}/hello?name=\`, \`GET /plugins/${name}/greeted\`.` : ''}

    xcore plugin test ${name}
    xcore call ${name} greet '{"name": "Ada"}' --wait
`
}

function className(name: string): string {
  return name.replaceAll(/(?:^|[-_])([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase())
}
