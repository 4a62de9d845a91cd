/** The version that `framework_version` ranges are held against. A test keeps it equal to package.json. */
export const FRAMEWORK_VERSION = '3.0.0'
