import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MAX_GLOB_LENGTH, compileGlob, globProblem, matchGlob } from './glob.ts'

const cases: readonly (readonly [pattern: string, fits: readonly string[], not: readonly string[]])[] = [
  ['user.created', ['user.created'], ['user.creates', 'user', 'xuser.created', 'User.created']],
  ['user.*', ['user.', 'user.created', 'user.address.changed'], ['user', 'users.created']],
  ['*', ['', 'a', 'a.b.c', '😀'], []],
  ['*.failed', ['.failed', 'a.b.failed'], ['failed', 'a.failed.b']],
  ['a?c', ['abc', 'a.c', 'a😀c'], ['ac', 'abbc']],
  ['v[0-9]', ['v0', 'v9'], ['v', 'va', 'v10']],
  ['[!a-c]x', ['dx', '-x'], ['ax', 'cx', 'x']],
  ['[]a]', [']', 'a'], ['b']],
  ['[!]a]', ['b'], [']', 'a']],
  ['[a-]', ['a', '-'], ['b']],
  ['[[]x]', ['[x]'], ['x']],
  ['a*b*c', ['abc', 'a..b..c', 'abcbc'], ['ab', 'acb']],
  ['(a+)+$', ['(a+)+$'], ['aaaa']],
]

for (const [pattern, fits, not] of cases) {
  test(`the glob ${pattern}`, () => {
    assert.equal(globProblem(pattern), undefined)
    for (const text of fits) assert.ok(matchGlob(pattern, text), `should fit: ${text}`)
    for (const text of not) assert.ok(!matchGlob(pattern, text), `should not fit: ${text}`)
  })
}

test('bad globs are named and fit nothing', () => {
  const bad: readonly (readonly [string, RegExp])[] = [
    ['', /at least one character/],
    ['user.[abc', /closes the "\[" at character 6/],
    ['[]', /closes/],
    ['[z-a]', /rising range, found "z-a"/],
    ['x'.repeat(MAX_GLOB_LENGTH + 1), /at most 256 characters, found 257/],
  ]
  for (const [pattern, problem] of bad) {
    assert.match(globProblem(pattern) ?? '', problem)
    assert.equal(matchGlob(pattern, pattern), false)
  }
})

// The plain recursive definition: slow, but plain to see.
function reference(pattern: readonly string[], text: readonly string[]): boolean {
  const [head, ...rest] = pattern
  if (head === undefined) return text.length === 0
  if (head === '*') return reference(rest, text) || (text.length > 0 && reference(pattern, text.slice(1)))
  return text.length > 0 && (head === '?' || head === text[0]) && reference(rest, text.slice(1))
}

const letters = (alphabet: readonly string[], maxLength: number) => fc.array(fc.constantFrom(...alphabet), { maxLength })

test('it agrees with the plain definition', () => {
  fc.assert(
    fc.property(letters(['a', 'b', '.', '*', '?', '😀'], 8), letters(['a', 'b', '.', '😀'], 10), (pattern, text) => {
      fc.pre(pattern.length > 0)
      assert.equal(matchGlob(pattern.join(''), text.join('')), reference(pattern, text))
    }),
    { numRuns: 2000 },
  )
})

test('any text: a glob without special characters fits itself alone, and nothing ever throws', () => {
  const plain = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter((text) => !/[*?[]/.test(text))
  fc.assert(fc.property(plain, plain, (pattern, text) => matchGlob(pattern, text) === (pattern === text)))
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'binary' }),
      (pattern, text) => typeof matchGlob(pattern, text) === 'boolean',
    ),
  )
})

test('a hostile pattern costs no more than pattern times text', () => {
  const fits = compileGlob('*a'.repeat(128))
  const started = process.cpuUsage()
  assert.equal(fits('a'.repeat(127).padEnd(20_000, 'b')), false)
  assert.equal(fits('b'.repeat(100_000)), false)
  assert.ok(process.cpuUsage(started).user < 2_000_000, 'took more than 2 s of CPU')
})
