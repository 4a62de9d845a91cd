import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { XCoreError } from '../errors/index.ts'
import { parseManifest } from './parse.ts'
import { ManifestSchema } from './schema.ts'

function assertRefusedOrWhole(text: string, file: string): void {
  try {
    const manifest = parseManifest(text, file)
    assert.match(manifest.name, /^[a-z]/)
    assert.ok(manifest.resources.timeoutSeconds > 0)
  } catch (thrown) {
    assert.ok(thrown instanceof XCoreError, String(thrown))
    assert.equal(thrown.code, 'manifest_invalid')
    assert.ok(thrown.issues.length > 0)
    for (const { path } of thrown.issues) assert.match(path, /^plugin\.(yaml|json)(:[1-9]\d*)?$/)
  }
}

const KEYS = Object.keys(ManifestSchema.properties)
const INNER_KEYS = [
  'retry',
  'rate_limit',
  'service_rate_limit',
  'calls',
  'timeout_seconds',
  'name',
  'version',
  'resource',
  'actions',
  'health_check',
  'a',
  'toString',
]

const anything = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, 0, -1, 1.5, 5, '', 'x', 'a/b', '~', '../x', '1.0.0', '${', 'allow'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...INNER_KEYS), tie('value'), { maxKeys: 3 }),
  ),
})).value

test('whatever stands at a known key is accepted or refused with a position, never a crash', () => {
  const written = fc.dictionary(fc.constantFrom(...KEYS), anything, { maxKeys: 5 })
  fc.assert(
    fc.property(written, fc.constantFrom('plugin.yaml', 'plugin.json'), (value, file) => {
      assertRefusedOrWhole(JSON.stringify({ name: 'x', version: '1.0.0', ...value }, null, 1), file)
    }),
    { numRuns: 1500 },
  )
})

test('nor does any text crash it', () => {
  const yamlish = fc
    .array(
      fc.constantFrom(
        'name',
        ': ',
        '\n',
        '  ',
        '\t',
        '- ',
        '[',
        ']',
        '{',
        '}',
        '"',
        "'",
        '&a',
        '*a',
        '!x',
        '|',
        '>',
        '---',
        '...',
        '%',
        '?',
        '<<',
        '# c',
        'x',
        '0x1',
        '\u0000',
      ),
    )
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.oneof(yamlish, fc.string({ unit: 'binary' })), fc.constantFrom('plugin.yaml', 'plugin.json'), assertRefusedOrWhole),
    { numRuns: 1500 },
  )
})
