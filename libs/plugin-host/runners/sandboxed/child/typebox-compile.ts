export * from 'typebox/compile'
export { default } from 'typebox/compile'
