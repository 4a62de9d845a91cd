import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { ESLint } from 'eslint'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Each part breaks one rule, and no other. */
const BREAKS = {
  '@typescript-eslint/no-explicit-any': 'export const a: any = 1',
  '@typescript-eslint/no-unsafe-assignment': `export const b: { c: number } = JSON.parse('1')`,
  '@typescript-eslint/no-non-null-assertion': 'export const d = (e: string | null): string => e!',
  '@typescript-eslint/ban-ts-comment': '// @ts-ignore\nexport const f = 1',
  '@typescript-eslint/no-floating-promises': 'export const g = (): void => {\n  Promise.resolve()\n}',
  '@typescript-eslint/switch-exhaustiveness-check': `export const h = (i: 'x' | 'y'): void => {\n  switch (i) {\n    case 'x':\n  }\n}`,
  'no-console': `console.log('x')`,
  'max-lines': '\n'.repeat(401),
}

test('lint refuses what breaks the rules of the house, and nothing else', async () => {
  const results = await new ESLint({ cwd: root }).lintText(Object.values(BREAKS).join('\n'), { filePath: `${root}libs/errors/index.ts` })
  const broken = results.flatMap(({ messages }) => messages.map(({ ruleId, message }) => ruleId ?? message))
  assert.deepEqual(broken.sort(), Object.keys(BREAKS).sort())
})

test('lint refuses what could make markup of data in the console', async () => {
  const code = `document.body.innerHTML = 'x'\ndocument.body.insertAdjacentHTML('beforeend', 'x')\nnew DOMParser()`
  const results = await new ESLint({ cwd: root }).lintText(code, { filePath: `${root}apps/api/console/page/main.ts` })
  const broken = results.flatMap(({ messages }) => messages.map(({ ruleId, message }) => ruleId ?? message))
  assert.deepEqual(broken, ['no-restricted-syntax', 'no-restricted-syntax', 'no-restricted-syntax'])
})
