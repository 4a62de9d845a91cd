#!/usr/bin/env node
// Plain JavaScript that an older Node can parse too: XCore itself needs Node 26, which the `node` package brings along.
import { spawn } from 'node:child_process'
import * as module from 'node:module'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const NEEDED_MAJOR = 26
const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']

if (Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR) {
  // Started by the branch below: when that process is gone, nobody can signal this one any more, so stop as if asked to.
  if (process.channel) {
    process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
    process.channel.unref()
  }
  // Compiled code and stripped types are kept in the system's temporary folder: commands start a third faster.
  module.enableCompileCache()
  await import('../main.ts')
} else {
  runWithNewerNode()
}

function runWithNewerNode() {
  let node
  try {
    node = module.createRequire(import.meta.url).resolve('node/bin/node')
  } catch {
    console.error(
      `XCore needs Node ${NEEDED_MAJOR} or newer, this is ${process.version}, and the \`node\` package that brings it is not installed. ` +
        'Run `npm ci` in the repository, or use a newer Node.',
    )
    process.exit(1)
  }
  const args = [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const child = spawn(node, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`Node ${NEEDED_MAJOR} could not be started from ${node}: ${error.message}. Run \`npm ci\` again, or use a newer Node.`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    // 128 + n is how shells tell of a death by signal; raising the signal here could be caught by the handlers above.
    process.exit(signal === null ? code : 128 + constants.signals[signal])
  })
}
