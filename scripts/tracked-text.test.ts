import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findings } from './tracked-text.ts'

const slash = '/'

describe('what must not be tracked', () => {
  const forbidden = [
    ['path of one machine', `see ${slash}home${slash}ann/project`],
    ['path of one machine', `cd "${slash}work${slash}main"`],
    ['path of one machine', `C:${'\\'}Users${'\\'}ann`],
    ['path outside the repository', `..${slash}shared/notes.md`],
    ['host of a package registry', `https:${slash}/registry.example.org/koa`],
    ['private key', `-----BEGIN ${'RSA PRIVATE'} KEY-----`],
    ['access token', `ghp_${'a1'.repeat(18)}`],
    ['credentials of a registry', `//example.org/:_auth${'Token'}=abc`],
  ] as const
  for (const [what, text] of forbidden) {
    test(`${what}: ${text}`, () => {
      assert.deepEqual(findings('a.md', `first\n${text}`), [{ file: 'a.md', line: 2, what }])
    })
  }

  test('ordinary text passes', () => {
    assert.deepEqual(findings('a.md', 'GET /jobs/1, src/work/x.ts, ./home/y, https://example.org/root/z, libs/shared/x.ts'), [])
  })
})
