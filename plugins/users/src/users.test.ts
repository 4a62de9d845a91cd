import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpError, validated } from '@xcore/sdk'
import { explain } from './refusal.ts'
import { CreateUser, UpdateUser } from './user.ts'

const ada = { username: 'ada', email: 'ada@example.com', age: 36 }

test('fields: username 3 to 50, a real e-mail address, age 0 to 150', () => {
  for (const change of [{}, { username: 'a'.repeat(50) }, { age: 0 }, { age: 150 }, { email: 'a.b+c@sub.example.org' }]) {
    assert.ok(validated(CreateUser, { ...ada, ...change }))
  }
  const emails = ['', 'ada', 'ada@', '@example.com', 'a b@example.com', 'ada@localhost', 'ada@example..com'].map((email) => ({ email }))
  for (const change of [
    { username: 'ab' },
    { username: 'a'.repeat(51) },
    { age: -1 },
    { age: 151 },
    { age: 1.5 },
    { age: '36' },
    { role: 'admin' },
    ...emails,
  ]) {
    assert.throws(() => validated(CreateUser, { ...ada, ...change }), HttpError, JSON.stringify(change))
  }
  assert.throws(() => validated(CreateUser, { username: 'ada', age: 1 }), HttpError)
  assert.deepEqual(validated(UpdateUser, { age: 37 }), { age: 37 })
  assert.throws(() => validated(UpdateUser, {}), HttpError)
})

test('each refusal has a code and a status', () => {
  assert.equal(explain({ kind: 'taken', field: 'email' }).code, 'email_taken')
  assert.equal(explain({ kind: 'taken', field: 'username' }).statusCode, 409)
  assert.equal(explain({ kind: 'missing' }).statusCode, 404)
  assert.equal(explain({ kind: 'full' }).statusCode, 507)
})
