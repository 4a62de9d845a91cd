import { createMemoryCacheStore } from '../../libs/services/cache/memory/store.ts'
import { cacheService } from '../../libs/services/cache/index.ts'
import { attempts } from './attempt.ts'
import { suite } from './harness.ts'

const cache = `const cache = plugin.getService('cache');`

suite(
  'services',
  attempts({
    'keys of another plugin': `${cache} return (await cache.keys()).find((key) => key.includes('secret'))`,
    'a key of another plugin by its name': `${cache} for (const key of ['secret', 'neighbour:secret', 'neighbour/secret', '../neighbour/secret', 'xcore:neighbour:secret', 'attacker\\u0000neighbour', '{neighbour}secret', '*', '\\ud800']) { const got = await cache.get(key).catch(() => null); if (got) return got }`,
    'a key that is a member of every object': `${cache} const got = await cache.mget(['__proto__', 'constructor', 'toString', '$']); return Object.keys(got).join()`,
    'values of a gigabyte at once': `${cache} const value = 'x'.repeat(1e6); for (let n = 0; n < 30; n += 1) await cache.set('big' + n, value); const got = await cache.mget(Array.from({ length: 30 }, (_, n) => 'big' + n)).catch((e) => e.code); return got === 'payload_too_large' ? null : 'got ' + Object.keys(got).length`,
    'events of the host': `await plugin.ctx.events.emit('xcore.plugin.loaded', {}); return 'emitted'`,
    'events of others': `await plugin.ctx.events.emit('neighbour.changed', {}); return 'emitted'`,
    'an event in the name of another source': `await plugin.ctx.events.emit('own.a', {}, { source: 'xcore://plugins/neighbour' }); return null`,
    'a name of an event that is none': `let got; for (const name of ['own.\\n', 'own.\\u0000', 'own.' + 'x'.repeat(1000), 'own.\\ud800']) { const sent = await plugin.ctx.events.emit(name, {}).then(() => name, () => null); if (name.length > 300 && sent) return sent.length } return got`,
    'schedules without end': `const scheduler = plugin.getService('scheduler'); let made = 0; for (let n = 0; n < 1100; n += 1) await scheduler.addJob({ id: 's' + n, trigger: 'interval', seconds: 3600, func: plugin.handle }).then(() => { made += 1 }, () => {}); return made > 1000 && made`,
    'a schedule of every millisecond': `await plugin.getService('scheduler').addJob({ id: 'fast', trigger: 'interval', seconds: 0.0001, func: plugin.handle }); return 'added'`,
    'empty files without end': `const files = plugin.getService('files'); let made = 0; for (let n = 0; n < 300; n += 1) await files.write('f' + n, '').then(() => { made += 1 }, () => {}); return made > 260 && made`,
    'folders without end': `const files = plugin.getService('files'); let made = 0; for (let n = 0; n < 160; n += 1) await files.write('d' + n + '/a', '').then(() => { made += 1 }, () => {}); return made > 130 && made`,
    'a name of a file that is none': `const files = plugin.getService('files'); for (const path of ['a/../../x', 'a\\u0000b', '/x', '..', '.', '', 'a//../../x', 'C:\\\\x', '....//x', 'a/./../../x', '%2e%2e/x', 'x'.repeat(5000)]) { const done = await files.write(path, 'x').then(() => path, () => null); if (done && !['%2e%2e/x', '....//x', 'C:\\\\x'].includes(done)) return done }`,
    'a job of its own that waits for jobs of others': `const answer = await plugin.callPlugin('neighbour', 'ping', {}); return answer.status === 'ok' && 'called'`,
    'jobs in a thousand years': `await plugin.enqueue('attacker', 'ping', {}, { delaySeconds: 1e12 }); return 'enqueued'`,
    'a payload with __proto__': `const payload = JSON.parse('{"__proto__":{"polluted":1}}'); await plugin.enqueue('attacker', 'ping', payload).catch(() => {}); return {}.polluted`,
    'its environment after the load': `return JSON.stringify(plugin.ctx.env) !== '{}' && plugin.ctx.env`,
    'another name': `plugin.ctx.name = 'neighbour'; return plugin.ctx.name === 'neighbour' && 'renamed'`,
    'permissions of its own making': `plugin.ctx.permissions.allows = () => true; plugin.ctx.permissions.check = () => {}; const answer = await plugin.callPlugin('neighbour', 'ping', {}); return answer.status === 'ok' && 'called'`,
  }),
  {
    manifest: `permissions:
  - {resource: "cache.*"}
  - {resource: "events:own.*"}
  - {resource: "service:scheduler"}
  - {resource: "fs:data"}
  - {resource: "fs:data/*"}
resources: {max_memory_mb: 128, max_disk_mb: 1}
`,
    async host() {
      const store = createMemoryCacheStore(Date.now)
      await store.set('neighbour', [{ key: 'secret', value: '"of the neighbour"' }], 600_000)
      return { services: { cache: cacheService(store) } }
    },
  },
)
