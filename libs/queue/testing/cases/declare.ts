import assert from 'node:assert/strict'
import { entries, freshPlugin, put } from '../harness.ts'
import type { ContractCase } from '../harness.ts'

export const declareCases: readonly ContractCase[] = [
  {
    name: 'declare is idempotent, also when processes race for it',
    async run(harness) {
      const [a, b] = await Promise.all([harness.open(), harness.open()])
      const plugins = [freshPlugin(), freshPlugin()]
      await Promise.all([a.declare(plugins), b.declare([...plugins].reverse()), a.declare(plugins), b.declare(plugins)])
      await a.declare(plugins)
      for (const plugin of plugins) {
        await put(harness, a, entries(plugin, 1))
        assert.equal((await b.claim(plugin, 10)).length, 1)
      }
    },
  },
]
