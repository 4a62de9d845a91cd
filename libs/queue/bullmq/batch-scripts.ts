import { createRequire } from 'node:module'
import { RedisConnection } from 'bullmq'
import { XCoreError } from '../../errors/index.ts'

/**
 * BullMQ's scripts work on one job each, and a command a job is most of what a batch costs, here and in Redis. These run BullMQ's own
 * text, as it is installed, in a loop: a function of its KEYS and ARGV, called once a job. What a job looks like in Redis stays BullMQ's
 * affair; only the arguments of its scripts are known here, and those come from its own code.
 *
 * A batch stops at the first error. What was done before it is done, and said.
 */

/** Jobs of one command: Redis does nothing else for its length, some 15 µs a job. */
export const LARGEST_BATCH = 100

type Original = 'moveToActive' | 'moveToFinished' | 'addPrioritizedJob' | 'addDelayedJob'

/** Lua that has BullMQ's script as `one(KEYS, ARGV)`. */
const looped = (name: Original, loop: string) => {
  const { content, keys } = original(name)
  const lua = `local one = function(KEYS, ARGV)\n${content}\nend
local message = function(e) return type(e) == 'table' and e.err or tostring(e) end
${loop}`
  return { name: many(name), content: lua, keys }
}

/** ARGV: those of one call, and how many jobs. Answers with id, priority, data and stalls of each. */
const TAKE = `
local found = {}
for n = 1, tonumber(ARGV[4]) do
  local ok, job = pcall(one, KEYS, ARGV)
  if not ok and n == 1 then return redis.error_reply(message(job)) end
  if not ok or type(job[1]) ~= 'table' then break end
  local fields = {}
  for i = 1, #job[1], 2 do fields[job[1][i]] = job[1][i + 1] end
  found[n] = {job[2], fields['priority'] or '0', fields['data'] or '0', fields['stc'] or '0'}
end
return found`

/** ARGV: the nine of one call, how many jobs it is for, and their ids; again for each token. Answers with the ids that were not held. */
const FINISH = `
local keys = {unpack(KEYS)}
local refused = {}
local at = 1
while at <= #ARGV do
  local args = {unpack(ARGV, at, at + 8)}
  local last = at + 9 + tonumber(ARGV[at + 9])
  for n = at + 10, last do
    args[1] = ARGV[n]
    keys[12] = args[7] .. ARGV[n]
    local ok, code = pcall(one, keys, args)
    if not ok then return redis.error_reply(message(code)) end
    if type(code) == 'number' and code < 0 then refused[#refused + 1] = ARGV[n] end
  end
  at = last + 1
end
return refused`

/** ARGV: the three of one call, again for each job. */
const ADD = `
for at = 1, #ARGV, 3 do
  local ok, code = pcall(one, KEYS, {ARGV[at], ARGV[at + 1], ARGV[at + 2]})
  if not ok then return redis.error_reply(message(code)) end
end
return 0`

const BATCH_SCRIPTS = new Map(
  [looped('moveToActive', TAKE), looped('moveToFinished', FINISH), looped('addPrioritizedJob', ADD), looped('addDelayedJob', ADD)].map(
    (script) => [script.name, script],
  ),
)

/** The name of BullMQ's script for one job becomes that for many. */
export function many(script: string): string {
  return `${script}Many`
}

/** How many of the arguments of BullMQ's script are keys; the rest are its ARGV. */
export function keyCount(script: string): number {
  const known = BATCH_SCRIPTS.get(many(script))
  if (known === undefined) throw new Error(`${script} is not a script that runs in batches`)
  return known.keys
}

/** A connection of BullMQ that knows these scripts too. */
export class BatchConnection extends RedisConnection {
  protected override loadCommands(...[version]: Parameters<RedisConnection['loadCommands']>): void {
    super.loadCommands(version)
    super.loadCommands(version, Object.fromEntries(BATCH_SCRIPTS))
  }
}

function original(name: Original): { content: string; keys: number } {
  const scripts: unknown = createRequire(import.meta.url)('bullmq/dist/cjs/scripts')
  const script: unknown = typeof scripts === 'object' && scripts !== null ? Reflect.get(scripts, name) : undefined
  if (typeof script === 'object' && script !== null && 'content' in script && 'keys' in script) {
    const { content, keys } = script
    if (typeof content === 'string' && typeof keys === 'number') return { content, keys }
  }
  throw new XCoreError(
    'queue_unsuitable',
    `Expected BullMQ to bring its script ${name}, found none. Install the version that package.json names.`,
  )
}
