import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { jobId } from '../../../libs/event-log/index.ts'
import { jsonOf, startApi } from '../testing/start-api.ts'
import { jobOf } from './model/answers.ts'
import { CALLS } from './model/calls.ts'
import { FAILURE_FILTERS, JOB_FILTERS } from './model/filters.ts'
import { pretty } from './model/format.ts'

/** As browsers ask; Node's fetch would ask for no cached answer at all. */
const REVALIDATE = { 'cache-control': 'max-age=0' }
const KEYS = [{ name: 'reader', scopes: ['read'] as const, key: 'secret' }]

/** Everything that the page loads, by following what it names. */
async function crawl(url: string): Promise<Map<string, Response & { readonly text: () => Promise<string> }>> {
  const found = new Map<string, Response>()
  const wanted = [`${url}/console`]
  for (let address = wanted.pop(); address !== undefined; address = wanted.pop()) {
    if (found.has(address)) continue
    const response = await fetch(address)
    found.set(address, response.clone())
    const text = await response.text()
    const names = address.endsWith('/console')
      ? text.matchAll(/(?:src|href)="(\.[^"]+)"/g)
      : text.matchAll(/^(?:import|export) .*?from '([^']+)'|^} from '([^']+)'/gm)
    for (const [, first, second] of names) wanted.push(new URL(first ?? second ?? '', address).href)
  }
  return found
}

test('the page and all that it loads come with their types, a strict policy and no key', async () => {
  await using api = await startApi({ auth: { keys: KEYS } })
  const found = await crawl(api.url)
  assert.ok(found.size > 20, `${found.size} files`)
  for (const [address, response] of found) {
    const { headers } = response
    assert.equal(response.status, 200, address)
    const type = address.endsWith('.ts') ? 'text/javascript' : address.endsWith('.css') ? 'text/css' : 'text/html'
    assert.equal(headers.get('content-type'), `${type}; charset=utf-8`)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('referrer-policy'), 'no-referrer')
    assert.match(
      headers.get('content-security-policy') ?? '',
      /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'/,
    )
    assert.doesNotMatch(headers.get('content-security-policy') ?? '', /unsafe|\*|http/)
    assert.match(headers.get('etag') ?? '', /^"[\w-]{22}"$/)
    const text = await response.text()
    if (type === 'text/html') assert.doesNotMatch(text, /<script(?! type="module" src=)|<style| on\w+=| style=/)
    else assert.doesNotMatch(text, /\b(https?:)?\/\/(?!www\.w3\.org)[a-z0-9]+\.[a-z]/)
  }
  // What lies in the folders and is loaded by nobody is dead.
  const served = [...found.keys()].map((address) => address.slice(address.lastIndexOf('/console/') + '/console/'.length))
  for (const folder of ['model', 'page']) {
    for (const file of await readdir(join(import.meta.dirname, folder), { recursive: true })) {
      if (file.endsWith('.ts') && !file.endsWith('.test.ts'))
        assert.ok(served.includes(`${folder}/${file}`), `${folder}/${file} is not loaded`)
    }
  }
})

test('an unchanged file is answered 304, HEAD has no body', async () => {
  await using api = await startApi()
  for (const path of ['/console', '/console/page/main.ts']) {
    const first = await api.request(path)
    assert.equal(first.headers.get('cache-control'), 'no-cache')
    const etag = first.headers.get('etag') ?? ''
    const again = await api.request(path, { headers: { 'if-none-match': etag, ...REVALIDATE } })
    assert.deepEqual([again.status, again.headers.get('etag'), await again.text()], [304, etag, ''])
    assert.equal((await api.request(path, { headers: { 'if-none-match': '"other"', ...REVALIDATE } })).status, 200)
    const head = await api.request(path, { method: 'HEAD' })
    assert.deepEqual([head.status, head.headers.get('etag'), await head.text()], [200, etag, ''])
    assert.equal(head.headers.get('content-length'), String(Buffer.byteLength(await first.text())))
  }
})

test('nothing else is served: no tests, no sources of the server, no way out of the folder', async () => {
  await using api = await startApi()
  const paths = [
    '/x',
    '/page',
    '/page/',
    '/page/tsconfig.json',
    '/assets.ts',
    '/model/format.test.ts',
    '/page/..%2fassets.ts',
    '/page/%2e%2e/assets.ts',
    '/page/main.ts/x',
  ]
  for (const path of paths) {
    const response = await api.request(`/console${path}`)
    assert.equal(response.status, 404, path)
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    assert.equal((await jsonOf(response))['code'], 'not_found')
  }
  const slash = await api.request('/console/', { redirect: 'manual' })
  assert.deepEqual([slash.status, slash.headers.get('location')], [308, '../console'])
  assert.ok(
    api.observed.every(({ route }) => ['/console', '/console/*file'].includes(route)),
    JSON.stringify(api.observed),
  )
})

test('the page needs no key, what it shows does', async () => {
  await using api = await startApi({ auth: { keys: KEYS } })
  assert.equal((await api.request('/console')).status, 200)
  assert.equal((await api.request('/admin/queues')).status, 401)
  const headers = { authorization: 'Bearer secret' }
  assert.equal((await api.request('/admin/queues', { headers })).status, 200)
  const refused = await api.post('/replays', {}, headers)
  assert.deepEqual([refused.status, (await jsonOf(refused))['code']], [403, 'permission_denied'])
})

test('every call that the console makes, and each filter that it offers, is in /openapi.json', async () => {
  await using api = await startApi()
  const paths = Object(Object(await jsonOf(await api.request('/openapi.json')))['paths'])
  for (const { method, path } of Object.values(CALLS)) assert.ok(paths[path]?.[method.toLowerCase()], `${method} ${path}`)
  const queryOf = (path: string): string[] => paths[path].get.parameters.map(({ name }: { name: string }) => name).sort()
  assert.deepEqual(queryOf('/jobs'), [...JOB_FILTERS].sort())
  assert.deepEqual(queryOf('/jobs/failures'), [...FAILURE_FILTERS, 'limit'].sort())
  assert.ok(paths['/console'].get.responses['200'].content['text/html'])
  assert.ok(!Object.keys(paths).some((path) => path.startsWith('/console/')))
})

test('each filter is one that GET /jobs takes', async () => {
  await using api = await startApi()
  const values: Readonly<Record<string, string>> = { kind: 'action', state: 'failed,dead', since: '2h', until: '1h', limit: '50' }
  const id = '01890000-0000-7000-8000-000000000000'
  const query = new URLSearchParams(JOB_FILTERS.map((name) => [name, values[name] ?? (name.endsWith('_id') ? id : 'x')]))
  assert.equal((await api.request(`/jobs?${query}`)).status, 200)
})

test('a hostile payload arrives as the text that it is', async () => {
  await using api = await startApi()
  const payload = { note: '</pre><img src=x onerror="alert(1)">' }
  const made = await jsonOf(await api.post('/ipc/demo/ping', { payload }))
  const id = jobId(String(made['job_id']))
  const job = jobOf(await jsonOf(await api.request(`/jobs/${id}`)))
  assert.equal(pretty(job.payload), '{\n  "note": "</pre><img src=x onerror=\\"alert(1)\\">"\n}')
})
