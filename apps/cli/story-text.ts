import { Type } from 'typebox'
import type { Static } from 'typebox'
import { colouredState } from './job-text.ts'

const Brief = Type.Object({
  job_id: Type.String(),
  plugin: Type.String(),
  name: Type.String(),
  state: Type.String(),
  requested_at: Type.String(),
  error: Type.Union([Type.Null(), Type.Object({ code: Type.String(), message: Type.String() })]),
})

/** Jobs and events, each with those that it caused: checked as the tree is walked. */
export const StoryBody = Type.Object({
  events: Type.Array(Type.Record(Type.String(), Type.Unknown())),
  replays: Type.Array(Brief),
  caused: Type.Array(Type.Record(Type.String(), Type.Unknown())),
})
export type StoryBody = Static<typeof StoryBody>

type Node = Readonly<Record<string, unknown>>

/** The story of a job: its log, its replays, and the tree of what it caused. */
export function storyText(id: string, story: StoryBody): string {
  const own = story.events.filter((event) => event['job_id'] === id)
  const parts = [`history\n${own.map(eventLine).join('\n')}`]
  if (story.replays.length > 0) {
    const rows = story.replays.map(
      (replay) =>
        `${replay.requested_at}  ${replay.job_id}  ${colouredState(replay.state)}${replay.error === null ? '' : `  ${replay.error.code}: ${replay.error.message}`}`,
    )
    parts.push(`replays\n${rows.join('\n')}`)
  }
  if (story.caused.length > 0) parts.push(`caused\n${story.caused.flatMap((node) => treeLines(node, '')).join('\n')}`)
  return parts.join('\n\n')
}

/** When, what, and how the attempt went. */
function eventLine(event: Node): string {
  const { type, recorded_at: at, attempt, duration_seconds: seconds, worker, plugin_version: version, error, retry_at: retryAt } = event
  const details = [
    typeof attempt === 'number' ? `attempt ${attempt}` : '',
    typeof seconds === 'number' ? `${seconds} s` : '',
    typeof worker === 'string' ? `on ${worker}` : '',
    typeof version === 'string' ? `version ${version}` : '',
    errorText(error),
    typeof retryAt === 'string' ? `again at ${retryAt}` : '',
    type === 'job.payload_edited' ? JSON.stringify(event['payload']) : '',
    typeof event['reason'] === 'string' ? `(${event['reason']})` : '',
  ]
  return [textOf(at), textOf(type).padEnd(18), ...details.filter((detail) => detail !== '')].join('  ')
}

function errorText(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error) || !('message' in error)) return ''
  return `${textOf(error.code)}: ${textOf(error.message)}`
}

function treeLines(node: Node, indent: string): string[] {
  const line =
    node['type'] === 'event'
      ? `${indent}event ${textOf(node['name'])}`
      : `${indent}${textOf(node['plugin'])}/${textOf(node['name'])}  ${colouredState(textOf(node['state']))}  ${textOf(node['job_id'])}`
  const under = Array.isArray(node['caused']) ? node['caused'].filter(isNode) : []
  return [line, ...under.flatMap((child) => treeLines(child, `${indent}  `))]
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
