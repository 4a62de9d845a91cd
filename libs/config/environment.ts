import { didYouMean } from '../errors/index.ts'
import type { Issue } from '../errors/index.ts'
import { CONFIG_KEYS, definitionOf } from './keys.ts'
import type { Setting } from './setting.ts'

/** Reserved for tests and benchmarks. */
const IGNORED_PREFIX = 'XCORE_TEST_'
/** Read by the command line client: which running XCore to talk to, and with which key. */
const CLIENT_VARIABLES = ['XCORE_URL', 'XCORE_API_KEY']

/** An empty variable counts as not set. A variable `XCORE_…` that is not a setting is an issue. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>, cwd: string): { settings: Setting[]; issues: Issue[] } {
  const settings = CONFIG_KEYS.flatMap((key): Setting[] => {
    const { env: name, fromText } = definitionOf(key)
    const text = name === null ? undefined : env[name]
    if (name === null || text === undefined || text.trim() === '') return []
    return [{ key, value: fromText(text), where: () => name, baseDir: cwd }]
  })
  const known = [...CONFIG_KEYS.flatMap((key) => definitionOf(key).env ?? []), ...CLIENT_VARIABLES]
  const issues = Object.keys(env)
    .filter((name) => name.startsWith('XCORE_') && !name.startsWith(IGNORED_PREFIX) && !known.includes(name))
    .map((name) => ({ path: name, message: `unknown environment variable.${didYouMean(name, known)}` }))
  return { settings, issues }
}
