import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { XCoreError, type Issue } from '../errors/index.ts'
import { positionOf, type Manifest } from './manifest.ts'
import { isMissing, readSmallText } from './read.ts'
import { ENV_REFERENCE } from './schema.ts'

type Variables = Readonly<Record<string, string | undefined>>

/**
 * The plugin's environment: its dotenv file, and over it the manifest's `env` with `${VAR}` and `${VAR:-default}` (unset or
 * empty) replaced, by the host's variables first, then the dotenv file's. Pure. Throws XCoreError `env_missing` naming all that are missing.
 */
export function resolveEnv(manifest: Manifest, host: Variables, dotenv: Variables = {}): Readonly<Record<string, string>> {
  const issues: Issue[] = []
  const env: Record<string, string> = {}
  const lookUp = (name: string): string | undefined =>
    Object.hasOwn(host, name) && host[name] !== undefined ? host[name] : Object.hasOwn(dotenv, name) ? dotenv[name] : undefined
  for (const [key, value] of Object.entries(dotenv)) if (value !== undefined) env[key] = value
  for (const [key, text] of Object.entries(manifest.env)) {
    env[key] = text.replaceAll(ENV_REFERENCE, (reference: string, name?: string, fallback?: string) => {
      if (name === undefined) return '${'
      const value = lookUp(name)
      if (fallback !== undefined) return value === undefined || value === '' ? fallback : value
      if (value === undefined) {
        issues.push({
          path: positionOf(manifest, `/env/${key}`),
          message: `env.${key} of plugin ${manifest.name} needs the variable ${name}, which is not set; set it on the host, or write ${reference.slice(0, -1)}:-default}`,
        })
      }
      return value ?? ''
    })
  }
  if (issues.length > 0) throw missingEnv(issues)
  return Object.freeze(env)
}

/**
 * `resolveEnv` with the dotenv file of the folder, when the manifest says `envconfiguration: {inject: true}`.
 * The host's own environment is never changed. Throws `env_missing`, and `manifest_invalid` when the file can't be read.
 */
export async function readPluginEnv(folder: string, manifest: Manifest, host: Variables): Promise<Readonly<Record<string, string>>> {
  const { inject, envFile } = manifest.envConfiguration
  if (!inject) return resolveEnv(manifest, host)
  return resolveEnv(manifest, host, parseEnv(await readDotenv(folder, envFile, manifest)))
}

async function readDotenv(folder: string, envFile: string, manifest: Manifest): Promise<string> {
  if (!(await exists(join(folder, envFile)))) {
    const message = `expected the file ${envFile} of plugin ${manifest.name}, found none; create it or set inject: false`
    throw missingEnv([{ path: positionOf(manifest, '/envconfiguration'), message }])
  }
  return readSmallText(folder, envFile)
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (thrown) {
    if (isMissing(thrown)) return false
    throw thrown
  }
}

function missingEnv(issues: readonly Issue[]): XCoreError {
  return new XCoreError('env_missing', issues.map((issue) => `${issue.path}: ${issue.message}`).join('\n'), { issues })
}
