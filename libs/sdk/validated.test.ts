import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpError, Type, validated } from '@xcore/sdk'

const Item = Type.Object({ name: Type.String({ minLength: 1 }), price: Type.Optional(Type.Number()) })

test('a value that fits comes back as it is, with its type', () => {
  const value: unknown = { name: 'a', more: 1 }
  const item = validated(Item, value)
  const name: string = item.name
  assert.equal(item, value)
  assert.equal(name, 'a')
})

test('every mismatch is listed with its path', () => {
  for (const [value, paths] of [
    [{ name: '', price: '1' }, ['/name', '/price']],
    [{}, ['']],
    [undefined, ['']],
  ] as const) {
    assert.throws(
      () => validated(Item, value),
      (thrown: unknown) => {
        assert.ok(thrown instanceof HttpError)
        assert.equal(thrown.status, 422)
        assert.equal(thrown.code, 'validation_error')
        assert.ok(Array.isArray(thrown.details))
        assert.deepEqual(thrown.details.map((detail: { path: string }) => detail.path).sort(), paths)
        return true
      },
    )
  }
})
