import type { Command } from 'commander'
import type { Config } from '../../libs/config/index.ts'
import { loadConfig } from '../../libs/config/index.ts'
import { createApiClient } from './client.ts'
import type { ApiClient } from './client.ts'
import { UsageError } from './exit.ts'
import type { GlobalOptions } from './output.ts'

export interface ServerOptions extends GlobalOptions {
  readonly url?: string
  readonly key?: string
}

/** Adds the options that say which running XCore a command talks to. */
export function withServerOptions(command: Command): Command {
  return command
    .option('--url <url>', 'the running XCore (default: XCORE_URL, else http.host and http.port of the config)')
    .option('--key <key>', 'API key (default: XCORE_API_KEY)')
}

export function configOf(options: GlobalOptions): Config {
  return loadConfig({ cwd: process.cwd(), env: process.env, ...(options.config === undefined ? {} : { file: options.config }) })
}

export function clientOf(options: ServerOptions): ApiClient {
  const url = options.url ?? process.env.XCORE_URL
  return createApiClient(url === undefined ? urlOfConfig(configOf(options)) : checkedUrl(url), options.key ?? process.env.XCORE_API_KEY)
}

function checkedUrl(url: string): string {
  const parsed = URL.parse(url)
  if (parsed === null || !/^https?:$/.test(parsed.protocol))
    throw new UsageError(`--url or XCORE_URL: expected something like http://127.0.0.1:8080, found ${url}`)
  return parsed.href.replace(/\/$/, '')
}

/** Where an api with this config is reached from the same machine. */
export function urlOfConfig(config: Config): string {
  const { host, port } = config.http
  if (port === 0)
    throw new UsageError('http.port is 0, so the port is known only to the running process: pass its URL with --url or XCORE_URL')
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}
