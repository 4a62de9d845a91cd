import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpError, validated } from '@xcore/sdk'
import { UserDirectory } from './directory.ts'
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

test('names and addresses are unique, whatever their case', () => {
  const users = new UserDirectory()
  assert.equal(users.create('1', ada).kind, 'stored')
  assert.deepEqual(users.create('2', { ...ada, username: 'ADA', email: 'x@example.com' }), { kind: 'taken', field: 'username' })
  assert.deepEqual(users.create('2', { ...ada, username: 'bob', email: 'Ada@Example.com' }), { kind: 'taken', field: 'email' })
  assert.equal(users.create('1', ada).kind, 'stored')
  assert.equal(users.list().length, 1)
  assert.equal(users.delete('1'), true)
  assert.equal(users.create('2', ada).kind, 'stored')
})

test('an update keeps what is left out, frees what it replaces and is refused what others have', () => {
  const users = new UserDirectory()
  users.create('1', ada)
  users.create('2', { username: 'bob', email: 'bob@example.com', age: 20 })
  assert.deepEqual(users.update('1', { username: 'Ada' }), { kind: 'stored', user: { id: '1', ...ada, username: 'Ada' } })
  assert.deepEqual(users.update('1', { username: 'bob' }), { kind: 'taken', field: 'username' })
  assert.equal(users.update('1', { username: 'eve' }).kind, 'stored')
  assert.equal(users.update('2', { username: 'ada' }).kind, 'stored')
  assert.deepEqual(users.update('3', { age: 1 }), { kind: 'missing' })
})

test('each refusal has a code and a status', () => {
  assert.equal(explain({ kind: 'taken', field: 'email' }).code, 'email_taken')
  assert.equal(explain({ kind: 'taken', field: 'username' }).statusCode, 409)
  assert.equal(explain({ kind: 'missing' }).statusCode, 404)
  assert.equal(explain({ kind: 'full' }).statusCode, 507)
})
