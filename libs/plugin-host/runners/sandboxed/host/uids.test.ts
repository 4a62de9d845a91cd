import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sandboxUid } from './uids.ts'

const WHOLE = '         0          0 4294967295\n'
const pid = fc.integer({ min: 1, max: 4_194_303 })
const slot = fc.nat(255)

test('on a whole machine no two sandboxes have one user', () => {
  fc.assert(
    fc.property(pid, slot, pid, slot, (pidA, slotA, pidB, slotB) => {
      const a = sandboxUid(pidA, slotA, WHOLE)
      assert.ok(a > 0x3fff_ffff && a < 2 ** 31)
      if (pidA !== pidB || slotA !== slotB) assert.notEqual(a, sandboxUid(pidB, slotB, WHOLE))
    }),
  )
})

test('in a container with few users it is one of those', () => {
  fc.assert(
    fc.property(pid, slot, (p, s) => {
      const uid = sandboxUid(p, s, '0 100000 65536\n')
      assert.ok(uid >= 32_768 && uid < 65_534)
    }),
  )
})
