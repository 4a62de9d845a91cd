import type { Problem } from '../model/problem.ts'
import { Refused } from './client.ts'
import { h, type Child } from './dom.ts'
import { problemBox } from './parts.ts'

export interface Field {
  readonly name: string
  readonly label: string
  readonly kind: 'text' | 'secret' | 'lines' | 'check'
  readonly value?: string
  readonly hint?: string
  readonly maxLength?: number
}

export interface Question {
  readonly title: string
  readonly text: Child
  /** What the button says that does it. */
  readonly action: string
  /** It is red then. */
  readonly dangerous?: boolean
  readonly fields?: readonly Field[]
  /** Does it. The dialog stays while it runs, and when it is refused: nothing that was typed is lost. */
  readonly submit: (values: ReadonlyMap<string, string>) => Promise<void>
}

/** Asks before something is done. False: the reader thought better of it. */
export function ask(question: Question): Promise<boolean> {
  // A key may be asked for above another dialog.
  const prefix = `dialog-${document.querySelectorAll('dialog').length}`
  return new Promise((resolve) => {
    const trouble = h('div', { role: 'alert' })
    const cancel = h('button', { type: 'button', onclick: () => dialog.close() }, 'Back')
    const act = h('button', { type: 'submit', class: question.dangerous === true ? 'danger' : 'primary' }, question.action)
    let done = false
    let busy = false
    const submit = async (form: HTMLFormElement): Promise<void> => {
      busy = true
      act.disabled = true
      trouble.replaceChildren()
      try {
        await question.submit(valuesOf(form))
        done = true
        dialog.close()
      } catch (error) {
        trouble.replaceChildren(problemBox(problemOfError(error)))
      } finally {
        busy = false
        act.disabled = false
      }
    }
    const form = h(
      'form',
      {
        onsubmit: (event) => {
          event.preventDefault()
          if (!busy) void submit(form)
        },
      },
      h('h2', { id: `${prefix}-title` }, question.title),
      typeof question.text === 'string' ? h('p', {}, question.text) : question.text,
      (question.fields ?? []).map((field) => fieldOf(field, `${prefix}-${field.name}`)),
      trouble,
      h('div', { class: 'buttons' }, cancel, act),
    )
    const dialog = h('dialog', { 'aria-labelledby': `${prefix}-title` }, form)
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(done)
    })
    document.body.append(dialog)
    dialog.showModal()
    if (question.fields === undefined || question.fields.length === 0) cancel.focus()
  })
}

export function problemOfError(error: unknown): Problem {
  if (error instanceof Refused) return error.problem
  return { status: 0, code: '', message: error instanceof Error ? error.message : String(error), notes: [] }
}

/** What a form holds, as text; a box that is ticked is `on`. */
export function valuesOf(form: HTMLFormElement): ReadonlyMap<string, string> {
  return new Map([...new FormData(form)].map(([name, value]) => [name, typeof value === 'string' ? value : '']))
}

/** Of the field `reason`, when it was filled in. */
export function reasonOf(values: ReadonlyMap<string, string>): { readonly reason?: string } {
  const reason = (values.get('reason') ?? '').trim()
  return reason === '' ? {} : { reason }
}

function fieldOf(field: Field, id: string): HTMLElement {
  const hint = field.hint === undefined ? null : h('small', { id: `${id}-hint` }, field.hint)
  const common = { id, name: field.name, ...(hint !== null && { 'aria-describedby': `${id}-hint` }) }
  if (field.kind === 'check') {
    return h('div', { class: 'field check' }, h('input', { ...common, type: 'checkbox' }), h('label', { for: id }, field.label), hint)
  }
  const limited = field.maxLength === undefined ? {} : { maxlength: field.maxLength }
  const input =
    field.kind === 'lines'
      ? h('textarea', { ...common, ...limited, rows: 10, spellcheck: 'false', autocomplete: 'off' }, field.value)
      : h('input', {
          ...common,
          ...limited,
          type: field.kind === 'secret' ? 'password' : 'text',
          value: field.value ?? '',
          autocomplete: 'off',
          spellcheck: 'false',
        })
  return h('div', { class: 'field' }, h('label', { for: id }, field.label), input, hint)
}
