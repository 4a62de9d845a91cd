import { stripVTControlCharacters, styleText } from 'node:util'
import { XCoreError, messageOf } from '../../libs/errors/index.ts'
import { CommandFailed, UsageError } from './exit.ts'

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean
  readonly config?: string
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** One line of JSON: easy to pipe on. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value))
}

/** Aligned columns with a heading; nothing but the heading when there are no rows. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => stripVTControlCharacters(row[column] ?? '').length)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - stripVTControlCharacters(cell).length)))
      .join('  ')
      .trimEnd()
  return [line(heading.map((title) => title.toUpperCase())), ...rows.map(line)].join('\n')
}

/** Coloured only in a terminal, and never with NO_COLOR. */
export function coloured(style: Parameters<typeof styleText>[0], text: string): string {
  return styleText(style, text, { stream: process.stdout })
}

/** Tells on stderr why the command failed: for people, or as `{"error": {code, message, errors}}`. */
export function reportError(error: unknown, json: boolean): void {
  const { code, message, lines } = describeError(error)
  if (message === '' && lines.length === 0) return
  if (json) {
    process.stderr.write(`${JSON.stringify({ error: { code, message, errors: lines } })}\n`)
    return
  }
  process.stderr.write([`error: ${message}`, ...lines.map((line) => `  ${line}`)].join('\n') + '\n')
}

function describeError(error: unknown): { code: string; message: string; lines: readonly string[] } {
  if (error instanceof CommandFailed) return { code: error.code ?? 'failed', message: error.message, lines: error.lines }
  if (error instanceof UsageError) return { code: 'usage', message: error.message, lines: [] }
  if (error instanceof XCoreError) {
    // A message that tells the issues already is not told twice.
    const issues = error.issues.filter((issue) => !error.message.includes(issue.message))
    return {
      code: error.code,
      message: error.message,
      lines: issues.map((issue) => (issue.path === '' ? issue.message : `${issue.path}: ${issue.message}`)),
    }
  }
  return {
    code: 'internal_error',
    message: messageOf(error),
    lines: error instanceof Error && error.stack ? error.stack.split('\n').slice(1) : [],
  }
}
