import { CommanderError } from 'commander'
import { EXIT, exitCodeOf } from './exit.ts'
import { reportError } from './output.ts'
import { createProgram } from './program.ts'

// Before parsing is done nobody knows the options, yet its errors must come in the right form.
const json = process.argv.includes('--json')

try {
  await createProgram().parseAsync(process.argv)
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed help, version or what is wrong with the command line.
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage
  } else {
    reportError(error, json)
    process.exitCode = exitCodeOf(error)
  }
}
