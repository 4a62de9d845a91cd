import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

function cruise(...parameters: string[]): string[] {
  const depcruise = at('../node_modules/.bin/depcruise')
  const run = spawnSync(process.execPath, [depcruise, '--config', at('../.dependency-cruiser.js'), '-T', 'err', ...parameters], {
    cwd: at('./fixtures/import-rule'),
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  assert.notEqual(run.status, null)
  return [...run.stdout.matchAll(/^\s*error ([a-z-]+): (\S+)/gm)].map(([, rule, file]) => `${rule}: ${file}`).sort()
}

test('each import rule refuses the file that breaks it, and nothing else', () => {
  assert.deepEqual(cruise('apps', 'libs', 'plugins', 'test'), [
    'adapters-only-in-compose: libs/engine/breaks-adapters.ts',
    'apps-stand-beside-each-other: apps/worker/breaks-apps.ts',
    'errors-imports-nothing-above: libs/errors/breaks-errors.ts',
    'every-import-resolves: libs/config/breaks-resolves.ts',
    'foundation-imports-nothing-above: libs/postgres/breaks-foundation.ts',
    'no-cycles: libs/config/breaks-cycles.ts',
    'no-tests-in-the-product: libs/engine/breaks-tests.ts',
    'only-declared-packages: libs/telemetry/breaks-declared.ts',
    'plugins-import-only-the-sdk: plugins/a/src/breaks-plugins.ts',
    'plugins-import-the-sdk-by-name: plugins/b/src/breaks-sdk-by-name.ts',
    'ports-imports-nothing-above: libs/queue/breaks-ports.ts',
    'queue-engines-only-in-adapters: apps/api/breaks-engines.ts',
    'sdk-packages: libs/sdk/breaks-sdk-packages.ts',
    'sdk-stands-alone: libs/sdk/breaks-sdk-alone.ts',
    'use-cases-imports-nothing-above: libs/engine/breaks-use-cases.ts',
  ])
})
