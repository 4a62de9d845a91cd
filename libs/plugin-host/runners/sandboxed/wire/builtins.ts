/**
 * Node's own modules that sandboxed code may import: those that compute. Everything that opens, starts or reaches something is
 * left out; what a plugin needs of that comes as a service of the host.
 */
export const PURE_BUILTINS: readonly string[] = [
  'assert',
  'assert/strict',
  'async_hooks',
  'buffer',
  'crypto',
  'events',
  'path',
  'path/posix',
  'punycode',
  'querystring',
  'stream',
  'stream/promises',
  'stream/web',
  'string_decoder',
  'timers',
  'timers/promises',
  'url',
  'util',
  'util/types',
  'zlib',
]

/** Of `node:fs` and `fs`: whether sandboxed code may import it. */
export function isPureBuiltin(specifier: string): boolean {
  return PURE_BUILTINS.includes(specifier.replace(/^node:/, ''))
}

/** What the host gives sandboxed code besides: one copy, shared with the SDK. */
export const SHARED_MODULES: Readonly<Record<string, string>> = {
  '@xcore/sdk': 'sdk',
  typebox: 'typebox',
  'typebox/value': 'typebox-value',
  'typebox/compile': 'typebox-compile',
  '@koa/router': 'koa-router',
}
