import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { schemaName } from './schema-name.ts'
import { lineAndColumn } from './sql-error.ts'
import { transactionControl } from './statement.ts'

const blank = fc.constantFrom(' ', '\n', '\t', ';', '-- a note\n', '/* a /* nested */ note; */', '--commit\n')
const blanks = fc.array(blank).map((parts) => parts.join(''))
const spaces = fc.constantFrom(' ', '\n\t', ' /* to */ ', ' -- to\n')
const cased = (word: string) =>
  fc
    .array(fc.boolean(), { minLength: word.length, maxLength: word.length })
    .map((upper) => Array.from(word, (c, i) => (upper[i] === true ? c.toUpperCase() : c)).join(''))

test('whatever comes before it and however it is written, what ends a transaction is found', () => {
  const words = fc.constantFrom('begin', 'commit', 'end', 'abort', 'rollback', 'commit work', 'rollback and chain', 'commit prepared')
  fc.assert(
    fc.property(blanks, words.chain(cased), fc.constantFrom('', ' ', ';', ' -- done', '/**/'), (before, word, after) => {
      assert.notEqual(transactionControl(before + word + after), undefined)
    }),
  )
  fc.assert(
    fc.property(
      blanks,
      spaces,
      fc.constantFrom(['start', 'transaction'], ['prepare', 'transaction'], ['rollback', 'work']),
      (before, between, [first, second]) => {
        assert.notEqual(transactionControl(`${before}${first}${between}${second} 'x'`), undefined)
      },
    ),
  )
})

test('everything else is let through', () => {
  const others = fc.constantFrom(
    'select 1',
    'savepoint a',
    'release savepoint a',
    'rollback to a',
    'ROLLBACK WORK TO SAVEPOINT a',
    'rollback /* x */ to savepoint a',
    'prepare p as select 1',
    'endless',
    'commit_log',
    'beginning',
    'insert into t values (1) -- commit',
  )
  fc.assert(fc.property(blanks, others, (before, sql) => assert.equal(transactionControl(before + sql), undefined)))
  fc.assert(fc.property(fc.string(), (text) => assert.doesNotThrow(() => transactionControl(text))))
})

test('positions are told by line and column', () => {
  assert.equal(lineAndColumn('select\n  oops', 10), 'line 2, column 3')
  assert.equal(lineAndColumn('😀x', 2), 'line 1, column 2')
})

test('schemas: a name that Postgres can hold, one for each plugin', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,62}$/)
  fc.assert(
    fc.property(name, name, (a, b) => {
      assert.ok(schemaName(a).length <= 63)
      assert.equal(schemaName(a) === schemaName(b), a === b)
    }),
  )
  const long = 'a'.repeat(62)
  assert.notEqual(schemaName(`${long}b`), schemaName(`${long}c`))
  assert.equal(schemaName('my-plugin'), 'plugin_my-plugin')
})
