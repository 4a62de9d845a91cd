import { XCoreError } from '../../libs/errors/index.ts'
import { refusal } from '../../libs/event-log/index.ts'
import { decodeUtf8, isJsonType, mediaTypeOf, parseJson } from './body.ts'

/**
 * What a plugin's route finds at `ctx.request.body`: JSON, a form as `{name: text | texts}`, text; undefined for an empty body and
 * for other types, whose bytes are at `ctx.request.rawBody`. Throws `invalid_json`, `bad_request`.
 */
export function parsePluginBody(bytes: Buffer, contentType: string | undefined): unknown {
  if (bytes.length === 0) return undefined
  const { type, charset } = mediaTypeOf(contentType)
  if (isJsonType(type)) return parseJson(bytes, charset)
  if (type === 'application/x-www-form-urlencoded') return parseForm(decodeUtf8(bytes, charset))
  if (type.startsWith('text/')) return decodeUtf8(bytes, charset)
  return undefined
}

function parseForm(text: string): Record<string, string | string[]> {
  const form = new URLSearchParams(text)
  const names = [...new Set(form.keys())]
  const fields = names.map((name): [string, string | string[]] => {
    const values = form.getAll(name)
    return [name, values.length === 1 ? (values[0] ?? '') : values]
  })
  const parsed = Object.fromEntries(fields)
  const refused = refusal(parsed)
  if (refused !== undefined) throw new XCoreError('bad_request', `The form holds something that is not accepted: ${refused.reason}.`)
  return parsed
}
