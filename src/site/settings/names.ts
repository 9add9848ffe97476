/** The forms of names that several settings share. */
export const FIELD_NAME: RegExp = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
export const VARIABLE: RegExp = /^[^=\0]+$/
