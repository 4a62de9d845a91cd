import { registerHooks } from 'node:module'
import { SHARED_MODULES, isPureBuiltin } from '../wire/builtins.ts'

/**
 * Narrows what plugin code finds in this process. It is no boundary: that is the process itself, with Node's permission model,
 * its user and its namespaces around it. It makes the refusals clear and early, and leaves fewer things to try.
 *
 * `home`: URL of the folder of this program, `bundle`: URL of the plugin's.
 */
export function harden(home: string, bundle: string): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const fromHome = context.parentURL?.startsWith(home) === true
      if (fromHome || specifier === bundle) return nextResolve(specifier, context)
      const shared = Object.hasOwn(SHARED_MODULES, specifier) ? SHARED_MODULES[specifier] : undefined
      if (shared !== undefined) return { url: `${home}${shared}.mjs`, shortCircuit: true }
      if (isPureBuiltin(specifier)) return nextResolve(specifier, context)
      throw denied(
        `import of ${JSON.stringify(String(specifier).slice(0, 200))}: a sandboxed plugin may import @xcore/sdk, its own files and Node's modules that only compute`,
      )
    },
  })
  for (const name of [
    'getBuiltinModule',
    'binding',
    '_linkedBinding',
    'dlopen',
    'kill',
    '_kill',
    'report',
    'setuid',
    'setgid',
    'seteuid',
    'setegid',
    'setgroups',
    'initgroups',
    'chdir',
    'umask',
    'loadEnvFile',
    'openStdin',
    '_debugProcess',
    '_debugEnd',
    '_startProfilerIdleNotifier',
    'setSourceMapsEnabled',
    'execve',
    'mainModule',
    'permission',
    'stdin',
    'channel',
    'send',
  ]) {
    Reflect.deleteProperty(process, name)
  }
  for (const name of ['WebSocket', 'EventSource', 'Worker', 'SharedArrayBuffer', 'localStorage', 'sessionStorage', 'navigator']) {
    Reflect.deleteProperty(globalThis, name)
  }
}

function denied(message: string): Error {
  return Object.assign(new Error(message), { code: 'permission_denied' })
}
