import assert from 'node:assert/strict'
import { test } from 'node:test'
import { statusOfError } from '../../apps/api/problem.ts'
import { ERROR_CATALOGUE } from '../../libs/errors/index.ts'
import { tableRows } from './table.ts'

const rows = tableRows('errors.md')

test('docs/errors.md lists the error catalogue, word for word', () => {
  const documented = rows.map(([code, meaning, remedy]) => ({ code, meaning, remedy })).sort(byCode)
  const known = Object.entries(ERROR_CATALOGUE).map(([code, { meaning, remedy }]) => ({ code: `\`${code}\``, meaning, remedy }))
  assert.deepEqual(documented, known.sort(byCode))
})

test('docs/errors.md gives the HTTP status of every code that a caller may see', () => {
  for (const [code = '', , , status = ''] of rows) {
    if (status !== '–') assert.equal(status, String(statusOfError({ code: code.replaceAll('`', '') })), code)
  }
})

function byCode(a: { code?: string | undefined }, b: { code?: string | undefined }): number {
  return (a.code ?? '') < (b.code ?? '') ? -1 : 1
}
