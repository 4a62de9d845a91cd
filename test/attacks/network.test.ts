import { attempts } from './attempt.ts'
import { suite } from './harness.ts'

const hosts = [
  'http://127.0.0.1:1/',
  'http://localhost:1/',
  'http://0.0.0.0:1/',
  'http://[::1]:1/',
  'http://[::ffff:127.0.0.1]:1/',
  'http://2130706433:1/',
  'http://0x7f.1:1/',
  'http://017700000001:1/',
  'http://127.1:1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://10.0.0.1/',
  'http://192.168.0.1/',
  'http://100.64.0.1/',
  'http://[fd00::1]/',
  'http://[fe80::1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://[2002:7f00:1::]/',
]

const told = `; return got.status`

// Every host is allowed by name, so that only the check of addresses stands in the way.
suite(
  'network with net:* allowed',
  [
    ...attempts(Object.fromEntries(hosts.map((url) => [`fetch of ${url}`, `const got = await fetch(${JSON.stringify(url)})${told}`]))),
    ...attempts({
      'a scheme that is none': `return (await fetch('ftp://example.org/')).status`,
      'credentials in the URL': `return (await fetch('http://user:password@127.0.0.1/')).status`,
      'a header with a line break': `return (await fetch('http://127.0.0.1/', { headers: { 'x-a': 'b\\r\\nHost: c' } })).status`,
    }),
  ],
  { manifest: 'resources: {max_memory_mb: 64}\npermissions:\n  - {resource: "net:*"}\n' },
)

suite('network without permission', [
  ...attempts({
    'fetch of a public host': `return (await fetch('https://example.org/')).status`,
    'fetch with a Request': `return (await fetch(new Request('https://example.org/'))).status`,
    net: `return (await load('node:net')).connect(80, '127.0.0.1')`,
    http: `return (await load('node:http')).get('http://127.0.0.1/')`,
    https: `return (await load('node:https')).get('https://127.0.0.1/')`,
    http2: `return (await load('node:http2')).connect('http://127.0.0.1/')`,
    dgram: `return (await load('node:dgram')).createSocket('udp4')`,
    tls: `return (await load('node:tls')).connect(443)`,
    dns: `return await (await load('node:dns/promises')).lookup('localhost')`,
    'a listening socket': `return (await load('node:net')).createServer().listen(0)`,
    'a Unix socket': `return (await load('node:net')).connect('/var/run/docker.sock')`,
    quic: `return await load('node:quic')`,
    WebSocket: `return new WebSocket('ws://127.0.0.1:1/')`,
    EventSource: `return new EventSource('http://127.0.0.1:1/')`,
    'import from the web': `return await load('https://example.org/x.mjs')`,
    'the wire through async_hooks': `const { createHook } = await load('node:async_hooks'); let socket; createHook({ init(id, type, trigger, resource) { socket ??= resource?.owner } }).enable(); await null; socket?.write?.('x'); return null`,
  }),
])

suite('services of others', [
  ...attempts({
    'an event that nobody allowed': `return await plugin.ctx.events.emit('user.deleted', {})`,
    'a subscription to everything': `await plugin.ctx.events.on('*', () => {}).ready; return 1`,
    'a call of another plugin': `const got = await plugin.callPlugin('bystander', 'x', {}); return got.status === 'ok'`,
    'a job for another plugin': `return await plugin.enqueue('neighbour', 'x', {})`,
    'another source of an event': `return await plugin.ctx.events.emit('xcore.plugin.loaded', {}, { source: 'xcore' })`,
    'the cache of another plugin': `return await plugin.getService('cache').get('../neighbour/key')`,
    'the database': `return await plugin.getService('db').query('select 1')`,
    'a service that is not there': `return plugin.getService('constructor')`,
    'the scheduler': `return await plugin.getService('scheduler').addJob({ id: 'x', trigger: 'interval', seconds: 1, func: plugin.handle })`,
    'a transaction': `return await job.transaction((tx) => tx.query('select 1'))`,
    'permissions that it gives itself': `plugin.ctx.permissions.allows = () => true; return await plugin.ctx.events.emit('a', {})`,
    'another name': `Object.defineProperty(plugin.ctx, 'name', { value: 'bystander' }); return await plugin.ctx.events.emit('a', {})`,
  }),
])
