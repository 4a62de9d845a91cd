import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { Command } from 'commander'
import { createProgram } from './program.ts'

const docs = await readFile(new URL('../../docs/cli.md', import.meta.url), 'utf8')

/** Commands that do something, by their full name. */
function leaves(command: Command, path: readonly string[] = []): { name: string; command: Command }[] {
  return command.commands.flatMap((child) => {
    const name = [...path, child.name()]
    return child.commands.length === 0 ? [{ name: name.join(' '), command: child }] : leaves(child, name)
  })
}

test('docs/cli.md lists every command, and no other', () => {
  const documented = [...docs.matchAll(/^\| `([a-z]+(?: [a-z]+)?)` \|/gm)].map((match) => match[1])
  assert.deepEqual(
    documented.toSorted(),
    leaves(createProgram())
      .map(({ name }) => name)
      .toSorted(),
  )
})

test('docs/cli.md names every option, and no other', () => {
  const program = createProgram()
  const options = [program, ...leaves(program).map(({ command }) => command)].flatMap((command) =>
    command.options.map((option) => option.long),
  )
  const documented = [...docs.matchAll(/`(?:[^`]* )?(--[a-z][a-z-]+)/g)].map((match) => match[1])
  assert.deepEqual([...new Set(documented)].toSorted(), [...new Set(options)].filter((option) => option !== '--version').toSorted())
})
