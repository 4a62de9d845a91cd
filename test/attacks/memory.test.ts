import { attempts, endings } from './attempt.ts'
import { suite } from './harness.ts'

const memory = ['memory_exceeded', 'sandbox_crashed']

suite(
  'memory and floods',
  [
    ...endings(memory, {
      buffers: `const all = []; for (;;) { all.push(Buffer.alloc(4e6, 1)); await new Promise((r) => setTimeout(r)) }`,
      'buffers without a pause': `const all = []; for (;;) all.push(Buffer.alloc(1e6, 1))`,
      strings: `const all = []; for (let i = 0; ; i++) all.push('x'.repeat(100) + i)`,
      'one string that doubles': `let s = 'x'; const all = []; for (;;) { s = (s + s).slice(0, 2e7); all.push(Buffer.from(s)) }`,
      objects: `const all = []; for (;;) all.push({ a: {}, b: [] })`,
      'a map': `const m = new Map(); for (let i = 0; ; i++) m.set(i, { i })`,
      closures: `let f = () => 0; for (;;) { const g = f; const big = new Array(100).fill(0); f = () => [g, big] }`,
      'WebAssembly memory that grows': `const m = new WebAssembly.Memory({ initial: 1, maximum: 20000 }); for (;;) { m.grow(50); new Uint8Array(m.buffer).fill(1); await new Promise((r) => setImmediate(r)) }`,
      'typed arrays': `const all = []; for (;;) all.push(new Float64Array(1e6).fill(1))`,
      'a promise chain': `const all = []; for (;;) all.push(new Promise(() => {}).then(() => {}))`,
      timers: `for (;;) setTimeout(() => {}, 1e9)`,
      'crypto and zlib buffers': `const { randomBytes } = await load('node:crypto'); const all = []; for (;;) all.push(randomBytes(1e6))`,
      'calls that are never answered': `const all = []; for (;;) all.push(plugin.ctx.events.emit('x'.repeat(200), { a: 'y'.repeat(10000) }).catch(() => {}))`,
      'a log flood without a pause': `for (;;) plugin.logger.info('x'.repeat(5000))`,
    }),
    ...endings([...memory, 'timeout'], {
      'a log flood with pauses': `for (;;) { for (let i = 0; i < 1000; i++) plugin.logger.info('x'.repeat(500)); await new Promise((r) => setImmediate(r)) }`,
      'stdout for ever': `for (;;) { process.stdout.write('x'.repeat(65536)); await new Promise((r) => setImmediate(r)) }`,
      'stderr without a line end': `for (;;) { process.stderr.write('x'.repeat(65536)); await new Promise((r) => setImmediate(r)) }`,
      'metrics for ever': `for (let i = 0; ; i++) { plugin.ctx.metrics.increment('m' + i); if (i % 1000 === 0) await new Promise((r) => setImmediate(r)) }`,
      'calls for ever': `for (;;) { await Promise.allSettled(Array.from({ length: 500 }, () => plugin.ctx.events.emit('a', {}))) }`,
      'many WebAssembly memories': `const all = []; for (;;) { const m = new WebAssembly.Memory({ initial: 200 }); new Uint8Array(m.buffer).fill(1); all.push(m) }`,
      'a zip bomb': `const z = await load('node:zlib'); const b = z.gzipSync(Buffer.alloc(5e7)); const all = []; for (;;) all.push(z.gunzipSync(b))`,
    }),
    ...attempts({
      'an array buffer of 4 GB': `return new ArrayBuffer(4e9).byteLength > 3e9 && (new Uint8Array(new ArrayBuffer(4e9)).fill(1), 1)`,
      'a string of 1 GB': `return 'x'.repeat(2 ** 30)`,
      'WebAssembly memory of 4 GB': `return new WebAssembly.Memory({ initial: 65536 }) && null`,
    }),
  ],
  { timeoutMs: 1_500 },
)
