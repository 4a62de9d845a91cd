import { access, constants, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { messageOf } from '../../../libs/errors/index.ts'
import { checkAll } from '../plugin-check.ts'
import { fail, ok, warn } from './finding.ts'
import type { Finding } from './finding.ts'

const NODE_MAJOR = 26

export function checkNode(version: string): Finding {
  const major = Number(version.replace(/^v/, '').split('.')[0])
  return major >= NODE_MAJOR
    ? ok('node', version)
    : fail('node', version, `XCore needs Node ${NODE_MAJOR} or newer: start it by npm, or install that Node.`)
}

/** The folder, and each manifest in it. */
export async function checkPlugins(dir: string): Promise<Finding[]> {
  const found = await stat(dir).catch(() => undefined)
  if (!found?.isDirectory()) return [warn('plugins', `no folder ${dir}`, 'Create it, or set plugins.dir (XCORE_PLUGINS_DIR).')]
  const checks = await checkAll(dir)
  if (checks.length === 0) return [warn('plugins', `no plugin in ${dir}`, 'Add a folder with plugin.yaml and src/main.ts.')]
  return [
    ok('plugins', `${checks.length} in ${dir}`),
    ...checks.map((check) => {
      const name = `plugin ${check.name}`
      if (check.errors.length > 0)
        return fail(
          name,
          check.errors.map(({ path, message }) => `${path}: ${message}`).join('; '),
          `Correct it; \`xcore plugin validate ${check.name}\` shows it all.`,
        )
      if (check.warnings.length > 0) return warn(name, check.warnings.join('; '), 'Set what is missing before the start.')
      return ok(name, 'its manifest is valid')
    }),
  ]
}

/** Whether the address can be bound, or already answers as an XCore. */
export async function checkPort(host: string, port: number, url: string | undefined): Promise<Finding> {
  if (port === 0) return ok('port', 'a free one is picked at each start')
  const problem = await bindProblem(host, port)
  if (problem === undefined) return ok('port', `${host}:${port} is free`)
  if (url !== undefined && (await answersAsXCore(url))) return ok('port', `an XCore answers at ${url}`)
  return fail('port', `${host}:${port}: ${problem}`, 'End what listens there, or set http.port (XCORE_HTTP_PORT).')
}

async function bindProblem(host: string, port: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const server = createServer()
  server.once('error', (error) => resolve(messageOf(error)))
  server.listen(port, host, () => server.close(() => resolve(undefined)))
  return promise
}

async function answersAsXCore(url: string): Promise<boolean> {
  try {
    const response = await fetch(new URL('/livez', url), { signal: AbortSignal.timeout(2_000) })
    return response.ok
  } catch {
    return false
  }
}

/** The folder of the embedded server can be written to, or made. */
export async function checkDataDir(dir: string): Promise<Finding> {
  try {
    await access(await nearestExisting(dir), constants.W_OK)
    return ok('data folder', dir)
  } catch (error) {
    return fail(
      'data folder',
      `${dir}: ${messageOf(error)}`,
      'Make it writable, or set data_dir (XCORE_DATA_DIR), or use a server of your own by DATABASE_URL.',
    )
  }
}

async function nearestExisting(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  return found !== undefined || dirname(path) === path ? path : nearestExisting(dirname(path))
}
