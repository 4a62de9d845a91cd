import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { XCoreError } from '../errors/index.ts'
import { actionSettings } from './manifest.ts'
import { parseManifest } from './parse.ts'

const MINIMAL = 'name: my_plugin\nversion: 1.0.0\n'

/** The issues of a refused text as `LINE message`. */
function issuesOf(text: string, file = 'plugin.yaml'): string[] {
  try {
    parseManifest(text, file)
  } catch (thrown) {
    assert.ok(thrown instanceof XCoreError)
    assert.equal(thrown.code, 'manifest_invalid')
    for (const issue of thrown.issues) assert.ok(thrown.message.includes(issue.message), 'the message holds every issue')
    return thrown.issues.map((issue) => {
      assert.match(issue.path, /^plugin\.(yaml|json)(:\d+)?$/)
      return `${issue.path.split(':')[1] ?? '-'} ${issue.message}`
    })
  }
  assert.fail(`accepted: ${text.slice(0, 200)}`)
}

function assertIssues(text: string, expected: readonly RegExp[], file?: string): void {
  const issues = issuesOf(text, file)
  assert.equal(issues.length, expected.length, issues.join('\n'))
  for (const [index, pattern] of expected.entries()) assert.match(issues[index] ?? '', pattern)
}

const withLine3 = (line: string) => `${MINIMAL}${line}\n`

describe('a manifest that fits', () => {
  test('has all defaults', () => {
    const { source, ...manifest } = parseManifest(MINIMAL)
    assert.deepEqual(manifest, {
      name: 'my_plugin',
      version: '1.0.0',
      author: '',
      description: '',
      executionMode: 'trusted',
      frameworkVersion: '>=2.0',
      entryPoint: 'src/main.ts',
      requires: [],
      permissions: null,
      env: {},
      envConfiguration: { inject: false, envFile: '.env' },
      resources: { timeoutSeconds: 10, maxMemoryMb: 128, maxDiskMb: 50, rateLimit: null },
      runtime: {
        retry: { maxAttempts: 3, backoffSeconds: 1, maxBackoffSeconds: 300 },
        healthCheck: { enabled: true, intervalSeconds: 30, timeoutSeconds: 3 },
      },
      filesystem: { allowedPaths: ['data/'], deniedPaths: ['src/'] },
      sandbox: { prewarm: false, idleSeconds: 300, maxJobs: 1_000_000 },
      concurrency: 10,
      totalConcurrency: null,
      priority: 50,
      config: {},
      http: { auth: 'public' },
      allowedCallers: null,
      actions: {},
    })
    assert.equal(source.file, 'plugin.yaml')
  })

  test('keeps every key that it sets', () => {
    const manifest = parseManifest(`name: full-one
version: 2.1.0-beta.1+build.5
author: Somebody
description: Does it all
execution_mode: sandboxed
framework_version: "^3.0"
entry_point: lib/entry.mjs
requires:
  - other
  - {name: third, version: ">=1.2 <2"}
permissions:
  - {resource: "db.*", actions: [read, write], effect: allow}
  - {resource: "net:*", effect: deny}
  - resource: "*"
env:
  API_KEY: key-\${API_KEY}
envconfiguration: {inject: true, env_file: conf/.env}
resources: {timeout_seconds: 0.5, max_memory_mb: 64, max_disk_mb: 5, rate_limit: {calls: 10, period_seconds: 1.5}}
runtime:
  retry: {max_attempts: 1, backoff_seconds: 0, max_backoff_seconds: 60}
  health_check: {enabled: false, interval_seconds: 5, timeout_seconds: 1}
filesystem: {allowed_paths: [data/, tmp/], denied_paths: []}
concurrency: 3
total_concurrency: 5
priority: 0
config: {list: [1, null, {deep: true}]}
http: {auth: required}
allowed_callers: [billing, "shop_*"]
actions:
  slow: {timeout_seconds: 600, priority: 100, retry: {max_attempts: 9}, replay: unsafe}
  plain: {}
`)
    assert.equal(manifest.version, '2.1.0-beta.1+build.5')
    assert.equal(manifest.executionMode, 'sandboxed')
    assert.equal(manifest.entryPoint, 'lib/entry.mjs')
    assert.deepEqual(manifest.requires, [
      { name: 'other', version: null },
      { name: 'third', version: '>=1.2 <2' },
    ])
    assert.deepEqual(manifest.permissions, [
      { resource: 'db.*', actions: ['read', 'write'], effect: 'allow' },
      { resource: 'net:*', actions: ['*'], effect: 'deny' },
      { resource: '*', actions: ['*'], effect: 'allow' },
    ])
    assert.deepEqual(manifest.env, { API_KEY: 'key-${API_KEY}' })
    assert.deepEqual(manifest.envConfiguration, { inject: true, envFile: 'conf/.env' })
    assert.deepEqual(manifest.resources, {
      timeoutSeconds: 0.5,
      maxMemoryMb: 64,
      maxDiskMb: 5,
      rateLimit: { calls: 10, periodSeconds: 1.5 },
    })
    assert.deepEqual(manifest.runtime.healthCheck, { enabled: false, intervalSeconds: 5, timeoutSeconds: 1 })
    assert.deepEqual(manifest.config, { list: [1, null, { deep: true }] })
    assert.deepEqual(manifest.allowedCallers, ['billing', 'shop_*'])
    assert.deepEqual([manifest.concurrency, manifest.totalConcurrency], [3, 5])
    assert.deepEqual(manifest.actions, {
      slow: { timeoutSeconds: 600, priority: 100, retry: { maxAttempts: 9, backoffSeconds: 0, maxBackoffSeconds: 60 }, replay: 'unsafe' },
      plain: { timeoutSeconds: 0.5, priority: 0, retry: { maxAttempts: 1, backoffSeconds: 0, maxBackoffSeconds: 60 }, replay: 'safe' },
    })
    assert.deepEqual(manifest.source.lines, {
      '/name': 1,
      '/framework_version': 6,
      '/entry_point': 7,
      '/requires/0': 9,
      '/requires/1': 10,
      '/env/API_KEY': 16,
      '/envconfiguration': 17,
    })
  })

  test('is the same from JSON', () => {
    const { source, ...json } = parseManifest(
      '{\n\t"name": "my_plugin",\n\t"version": "1.0.0",\n\t"env": {\n\t\t"A": "b"}\n}',
      'plugin.json',
    )
    const { source: _, ...yaml } = parseManifest(`${MINIMAL}env: {A: b}`)
    assert.deepEqual(json, yaml)
    assert.deepEqual(source, { file: 'plugin.json', lines: { '/name': 2, '/env/A': 5 } })
  })

  test('is frozen all the way down', () => {
    const manifest = parseManifest(`${MINIMAL}config: {a: [{b: 1}]}\nrequires: [x]`)
    const check = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      assert.ok(Object.isFrozen(value))
      for (const part of Object.values(value)) check(part)
    }
    check(manifest)
  })

  test('may use anchors, a byte-order mark and a rate limit without a period', () => {
    const manifest = parseManifest(
      `\uFEFF${MINIMAL}resources: {rate_limit: {calls: 5}}\nactions:\n  a: &slow {timeout_seconds: 60}\n  b: *slow\n`,
    )
    assert.deepEqual(manifest.resources.rateLimit, { calls: 5, periodSeconds: 60 })
    assert.equal(manifest.actions['b']?.timeoutSeconds, 60)
  })

  test('gives every action its settings, also one of a name that objects inherit', () => {
    const manifest = parseManifest(withLine3('actions: {a: {priority: 9}}'))
    assert.equal(actionSettings(manifest, 'a').priority, 9)
    for (const name of ['b', 'toString', '__proto__']) {
      const retry = { maxAttempts: 3, backoffSeconds: 1, maxBackoffSeconds: 300 }
      assert.deepEqual(actionSettings(manifest, name), { timeoutSeconds: 10, priority: 50, retry, replay: 'safe' })
    }
  })

  test('raises the inherited cap for a longer backoff, and lowers the inherited backoff for a lower cap', () => {
    assert.deepEqual(parseManifest(withLine3('runtime: {retry: {backoff_seconds: 600}}')).runtime.retry, {
      maxAttempts: 3,
      backoffSeconds: 600,
      maxBackoffSeconds: 600,
    })
    assert.equal(parseManifest(withLine3('runtime: {retry: {max_backoff_seconds: 0.5}}')).runtime.retry.backoffSeconds, 0.5)
  })
})

describe('a text that is no mapping', () => {
  const cases: Record<string, readonly [string, RegExp]> = {
    empty: ['', /^1 expected a mapping.*empty file/],
    'only a comment': ['# nothing\n', /empty file/],
    null: ['null', /empty file/],
    list: ['- name: x', /^1 expected a mapping.*a list/],
    scalar: ['hello', /a single value/],
    'duplicate key': [`${MINIMAL}name: again`, /^3 name: expected each key once/],
    'nested duplicate key': [`${MINIMAL}env:\n  A: x\n  A: y`, /^5 A: expected each key once/],
    'tab as indentation': [`${MINIMAL}env:\n\tA: x`, /^4 expected spaces.*tab/],
    'two documents': [`${MINIMAL}---\na: 1`, /^3 expected one document/],
    'open quote': ['name: "x', /^1 Missing closing/],
    'alias without anchor': ['name: x\nversion: *v', /^2 \*v has no anchor/],
    'unknown tag': [`${MINIMAL}config: !secret x`, /^3 Unresolved tag/],
    'list as a key': [`${MINIMAL}? [a]\n: b`, /^3 .*keys must be strings/],
    'prototype key': [`${MINIMAL}config: {__proto__: {admin: true}}`, /^3 config\.__proto__: this key is not allowed/],
    'not a number': [`${MINIMAL}config: {a: [.nan]}`, /^3 config\.a\[0\]: expected a finite number/],
    'an anchor inside itself': [`${MINIMAL}config: {a: &a [*a, *a]}`, /64 levels/],
    'a billion laughs': [
      'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]',
      /at most 50 aliases/,
    ],
    'many aliases': [`a: &a 1\nb: [${'*a,'.repeat(60_000)}]`, /^2 expected at most 50 aliases/],
    'too deep': [`${MINIMAL}config: {a: ${'['.repeat(70)}${']'.repeat(70)}}`, /64 levels/],
    huge: [`${MINIMAL}description: ${'x'.repeat(300_000)}`, /at most 262144 bytes/],
  }
  for (const [title, [text, expected]] of Object.entries(cases)) test(title, () => assertIssues(text, [expected]))

  test('nesting past the call stack', () => {
    assert.match(issuesOf('['.repeat(30_000))[0] ?? '', /64 levels/)
  })

  test('JSON that only YAML would take', () => {
    assertIssues('{"name": "x",\n "version": "1.0.0",\n}', [/^3 expected JSON/], 'plugin.json')
    assertIssues('name: x\nversion: 1.0.0', [/^1 expected JSON: Unexpected token 'a'$/], 'plugin.json')
    assertIssues('{"name": "x",\n "env": {\n  "A": hush-hush\n }\n}', [/^3 expected JSON: Unexpected token 'h'$/], 'plugin.json')
    assertIssues(`{"name": "x",\n\n // ${'a comment '.repeat(20)}\n "version": "1.0.0"}`, [/^3 expected JSON/], 'plugin.json')
    assertIssues('{"name": "x"}\n\n}', [/^3 expected JSON/], 'plugin.json')
    assertIssues('{"name": "x",\n "name": "y"}', [/^2 name: expected each key once/], 'plugin.json')
    assertIssues('{"name": "x"', [/^1 expected JSON/], 'plugin.json')
  })
})

describe('a key with a wrong value is refused with line, expectation and finding', () => {
  const cases: Record<string, readonly [string, RegExp]> = {
    'unknown key': ['resorces: {}', /^3 resorces: unknown key; did you mean resources\?/],
    'unknown key, nothing near': ['xyzzy: 1', /^3 xyzzy: unknown key; known here: name, version/],
    'a key of Object.prototype': ['constructor: 1', /^3 constructor: unknown key/],
    'unknown nested key': ['resources: {timeout_second: 3}', /^3 resources\.timeout_second: unknown key; did you mean timeout_seconds\?/],
    'camelCase key': ['resources: {maxMemoryMb: 3}', /did you mean max_memory_mb\?/],
    'half a key': ['resources: {timeout: 3}', /did you mean timeout_seconds\?/],
    'unknown key deep down': [
      'actions:\n  a:\n    retry: {max_attempt: 3}',
      /^5 actions\.a\.retry\.max_attempt: unknown key; did you mean max_attempts\?/,
    ],
    'execution mode': [
      'execution_mode: Sandboxd',
      /^3 execution_mode: expected one of trusted, sandboxed, legacy, found "Sandboxd"; did you mean sandboxed\?/,
    ],
    'framework version as a number': ['framework_version: 2.5', /expected a semver range.*found 2.5; put it in quotes: "2.5"/],
    'framework version': ['framework_version: newest', /expected a semver range.*found "newest"/],
    'empty range': ['framework_version: ""', /expected a semver range/],
    'python entry': ['entry_point: src/main.py', /^3 entry_point: .*Python plugins do not run here.*src\/main\.ts/],
    'other entry': ['entry_point: src/main.rb', /name a TypeScript or JavaScript file/],
    'entry outside': ['entry_point: ../other/main.ts', /^3 entry_point: expected a path inside the plugin's folder/],
    'entry outside by a detour': ['entry_point: src/../../main.ts', /inside the plugin's folder/],
    'absolute entry': ['entry_point: /srv/main.ts', /inside the plugin's folder/],
    'entry with a drive': ['entry_point: C:/main.ts', /inside the plugin's folder/],
    'entry with backslashes': ['entry_point: src\\main.ts', /inside the plugin's folder/],
    'requires as text': ['requires: other', /^3 requires: expected a list, found "other"; write \["other"\]/],
    'requires a bad name': [
      'requires:\n  - ok\n  - Not OK',
      /^5 requires\[1\]: expected a plugin's name or \{name, version\}, found "Not OK"/,
    ],
    'requires a number': ['requires: [7]', /requires\[0\]: expected a plugin's name/],
    'requires a bad version': ['requires:\n  - name: x\n    version: latest', /^5 requires\[0\]\.version: expected a semver range/],
    'requires without a name': ['requires: [{version: "1"}]', /requires\[0\]\.name: .*this key is required/],
    'permissions as a mapping': ['permissions: {db: read}', /permissions: expected a list, found a mapping/],
    'permissions left open': ['permissions:', /permissions: expected a list, found nothing; give it a value or remove the key/],
    'permission without resource': ['permissions: [{effect: deny}]', /permissions\[0\]\.resource: .*required/],
    'unknown verb': [
      'permissions: [{resource: x, actions: [reed]}]',
      /actions\[0\]: expected one of read, .*found "reed"; did you mean read\?/,
    ],
    'no verb': ['permissions: [{resource: x, actions: []}]', /actions: expected a list of at least one verb, found a list/],
    'verb as text': ['permissions: [{resource: x, actions: read}]', /write \["read"\]/],
    effect: ['permissions: [{resource: x, effect: allowed}]', /did you mean allow\?/],
    'env list': ['env: [A]', /env: expected a mapping, found a list/],
    'env name': ['env: {B-C: x}', /env: expected a variable name.*found "B-C"/],
    'env reference': ['env: {A: "${1X}"}', /env\.A: expected a string, found a string with a \$\{/],
    'env file outside': ['envconfiguration: {env_file: ../.env}', /envconfiguration\.env_file: expected a path inside/],
    'zero timeout': [
      'resources: {timeout_seconds: 0}',
      /^3 resources\.timeout_seconds: expected a number of seconds above 0 and at most 43200, found 0/,
    ],
    'long timeout': ['resources: {timeout_seconds: 43201}', /found 43201/],
    'timeout as text': ['resources: {timeout_seconds: 10s}', /found "10s"/],
    'zero calls': ['resources: {rate_limit: {calls: 0, period_seconds: 1}}', /calls: expected a whole number from 1/],
    'zero period': ['resources: {rate_limit: {calls: 1, period_seconds: 0}}', /period_seconds: expected a number of seconds above 0/],
    'half a call': ['resources: {rate_limit: {calls: 1.5}}', /expected a whole number/],
    'rate limit without calls': ['resources: {rate_limit: {}}', /resources\.rate_limit\.calls: .*required/],
    'zero memory': ['resources: {max_memory_mb: 0}', /max_memory_mb: expected a whole number from 1/],
    'zero disk': ['resources: {max_disk_mb: 0}', /max_disk_mb: expected a whole number from 1/],
    'resources as a list': ['resources: []', /resources: expected a mapping with timeout_seconds.*found a list/],
    'zero attempts': ['runtime: {retry: {max_attempts: 0}}', /max_attempts: expected a whole number from 1 to 100, found 0/],
    'many attempts': ['runtime: {retry: {max_attempts: 101}}', /found 101/],
    'negative backoff': ['runtime: {retry: {backoff_seconds: -1}}', /backoff_seconds: expected a number of seconds from 0/],
    'backoff over its cap': [
      'runtime: {retry: {backoff_seconds: 9, max_backoff_seconds: 3}}',
      /^3 runtime\.retry: expected max_backoff_seconds to be at least/,
    ],
    'zero concurrency': ['concurrency: 0', /concurrency: expected a whole number from 1 to 10000, found 0/],
    concurrency: ['concurrency: 10001', /found 10001/],
    'zero in total': ['total_concurrency: 0', /total_concurrency: expected a whole number from 1 to 10000, found 0/],
    priority: ['priority: 101', /priority: expected a whole number from 0 to 100, found 101/],
    'negative priority': ['priority: -1', /found -1/],
    config: ['config: [1]', /config: expected a mapping, found a list/],
    'http auth': ['http: {auth: yes}', /http\.auth: expected one of required, public, found "yes"/],
    callers: ['allowed_callers: billing', /allowed_callers: expected a list.*write \["billing"\]/],
    'caller name': ['allowed_callers: [Billing!]', /allowed_callers\[0\]/],
    'actions as a list': ['actions: [a]', /actions: expected a mapping, found a list/],
    'action name': ['actions: {"a b": {}}', /actions: expected an action name.*found "a b"/],
    'action as a number': ['actions: {a: 5}', /actions\.a: expected a mapping with timeout_seconds, priority, retry, replay, found 5/],
    replay: ['actions: {a: {replay: never}}', /actions\.a\.replay: expected one of safe, unsafe/],
    'author as a list': ['author: [me]', /author: expected a text.*found a list/],
    'description as a number': ['description: 5', /description: .*found 5; put it in quotes: "5"/],
    'health check': ['runtime: {health_check: {interval_seconds: 0}}', /interval_seconds: expected a number of seconds above 0/],
    'flag as text': ['envconfiguration: {inject: "yes"}', /inject: expected true or false, found "yes"/],
    'empty path': ['filesystem: {allowed_paths: [""]}', /allowed_paths\[0\]: expected a text of 1/],
  }
  for (const [title, [line, expected]] of Object.entries(cases)) test(title, () => assertIssues(withLine3(line), [expected]))

  test('name and version', () => {
    const name = (value: string) => issuesOf(`name: ${value}\nversion: 1.0.0`)[0] ?? ''
    for (const value of ['5', '[]', 'true', 'Upper', '1st', 'a.b', '"a b"', '""', '../x', 'a'.repeat(64)]) {
      assert.match(name(value), /^1 name: expected a name of lower-case letters/)
    }
    const version = (value: string) => issuesOf(`name: x\nversion: ${value}`)[0] ?? ''
    for (const value of ['1', '1.0', 'v1.0.0', '"1.0"', 'latest', '01.0.0', '"=1.0.0"']) {
      assert.match(version(value), /^2 version: expected a semantic version/)
    }
    assertIssues('version: 1.0.0', [/^1 name: .*this key is required/])
    assert.equal(parseManifest(`name: ${'a'.repeat(63)}\nversion: 1.0.0`).name.length, 63)
  })

  test('values of env are never repeated', () => {
    for (const value of ['12345', '[secret]', '"${secret"', 'true']) {
      assert.doesNotMatch(issuesOf(withLine3(`env: {A: ${value}}`)).join(), /12345|secret|found true/)
    }
  })
})

test('all problems of a file are told at once, in the order of its lines', () => {
  assertIssues('name: X\nversion: 1\nrequires: y\nnonsense: 1\nresources:\n  timeout_seconds: 0\n  memory: 5\npriority: high\n', [
    /^1 name/,
    /^2 version/,
    /^3 requires/,
    /^4 nonsense/,
    /^6 resources\.timeout_seconds/,
    /^7 resources\.memory: unknown key; did you mean max_memory_mb\?/,
    /^8 priority/,
  ])
  const many = issuesOf(`${MINIMAL}${Array.from({ length: 20_000 }, (_, index) => `k${index}: 1\n`).join('')}`)
  assert.equal(many.length, 100)
})
