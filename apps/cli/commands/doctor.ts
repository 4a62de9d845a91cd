import { Command } from 'commander'
import type { Finding } from '../doctor/finding.ts'
import { CommandFailed } from '../exit.ts'
import { coloured, print, printJson } from '../output.ts'
import type { GlobalOptions } from '../output.ts'
import { configOf } from '../server-options.ts'

const COLOURS = { ok: 'green', warn: 'yellow', fail: 'red' } as const

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('check Node, plugins, port, database, migrations and clock, each with its remedy; exit 1 when something fails')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const { diagnose } = await import('../doctor/diagnose.ts')
      const findings = await diagnose(configOf(options))
      if (options.json) printJson({ findings })
      else print(findings.map(findingText).join('\n'))
      const failed = findings.filter((finding) => finding.status === 'fail')
      if (failed.length > 0) throw new CommandFailed(`${failed.length} of ${findings.length} checks failed`, { code: 'doctor_failed' })
    })
}

function findingText({ name, status, detail, remedy }: Finding): string {
  const line = `${coloured(COLOURS[status], status.padEnd(4))}  ${name}: ${detail}`
  return remedy === null ? line : `${line}\n      → ${remedy}`
}
