export * from '@koa/router'
export { default } from '@koa/router'
