import { Socket } from 'node:net'
import { harden } from './harden.ts'
import { runSandbox } from './sandbox.ts'

// Starts in an empty environment; the host speaks on file descriptor 3 and nothing else is open but the ends of two pipes.
const home = new URL('./', import.meta.url).href
const exit = process.exit.bind(process)

runSandbox({
  stream: new Socket({ fd: 3, readable: true, writable: true }),
  harden: (bundle) => harden(home, bundle),
  importBundle: (bundle) => import(bundle),
  end: () => exit(0),
})
