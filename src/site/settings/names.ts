/** The forms of names that several settings share. */
export const FIELD_NAME: RegExp = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** RFC 6265 §4.1.1; '' for none. */
export const COOKIE_NAME: RegExp = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)?$/
export const VARIABLE: RegExp = /^[^=\0]+$/
/** A function in an application's code: `shop.tasks:clean`, `./tasks.ts:clean`. */
export const PYTHON_TARGET: RegExp = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/
export const NODE_TARGET: RegExp = /^[^:\0]*\/[^:/\0]+:[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*$/
