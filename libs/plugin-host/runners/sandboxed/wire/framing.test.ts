import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FrameDecoder, ProtocolViolation, encodeFrames } from './framing.ts'

test('frames come out as they went in, whatever the pieces', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, unit: 'binary' }), { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (texts, sizes) => {
        const wanted = texts.map((text) => text.toWellFormed())
        const bytes = encodeFrames(wanted)
        const decoder = new FrameDecoder()
        const found: string[] = []
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1
          found.push(...decoder.push(bytes.subarray(at, at + size)).map(String))
          at += size
        }
        assert.deepEqual(found, wanted)
      },
    ),
  )
})

test('any bytes are frames or a violation, and never more is held than one frame', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const decoder = new FrameDecoder(64)
      try {
        for (const frame of decoder.push(Buffer.from(bytes))) assert.ok(frame.length > 0 && frame.length <= 64)
      } catch (thrown) {
        assert.ok(thrown instanceof ProtocolViolation)
      }
    }),
  )
})
