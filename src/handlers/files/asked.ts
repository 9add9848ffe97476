/** The few request fields that matter to a file's answer, found once per field block. */
import type { FieldList } from '../../wire/fields.ts'
import type { RequestFields } from '../../wire/request-fields.ts'

export interface Asked {
  /** Null: the field is absent. Values of repeated fields are joined with commas. */
  ifMatch: string | null
  ifNoneMatch: string | null
  ifModifiedSince: string | null
  ifUnmodifiedSince: string | null
  ifRange: string | null
  range: string | null
  acceptEncoding: string | null
  accept: string | null
  /** Any of the preconditions or Range is present. */
  conditional: boolean
}

/** Nothing of the kind. */
export const NOTHING_ASKED: Asked = collect({ names: [], values: [] })

/** Gateways share the parsed fields of equal blocks, so most visitors are answered from here. */
const known = new WeakMap<RequestFields, Asked>()

export function askedBy(fields: RequestFields): Asked {
  const before = known.get(fields)
  if (before !== undefined) return before
  const asked = collect(fields)
  known.set(fields, asked)
  return asked
}

function collect(fields: FieldList): Asked {
  const asked: Asked = {
    ifMatch: null,
    ifNoneMatch: null,
    ifModifiedSince: null,
    ifUnmodifiedSince: null,
    ifRange: null,
    range: null,
    acceptEncoding: null,
    accept: null,
    conditional: false,
  }
  const { names, values } = fields
  for (let i = 0; i < names.length; i++) {
    const value = values[i]!
    switch (names[i]) {
      case 'if-match':
        asked.ifMatch = join(asked.ifMatch, value)
        break
      case 'if-none-match':
        asked.ifNoneMatch = join(asked.ifNoneMatch, value)
        break
      case 'if-modified-since':
        asked.ifModifiedSince = join(asked.ifModifiedSince, value)
        break
      case 'if-unmodified-since':
        asked.ifUnmodifiedSince = join(asked.ifUnmodifiedSince, value)
        break
      case 'if-range':
        asked.ifRange = join(asked.ifRange, value)
        break
      case 'range':
        asked.range = join(asked.range, value)
        break
      case 'accept-encoding':
        asked.acceptEncoding = join(asked.acceptEncoding, value)
        break
      case 'accept':
        asked.accept = join(asked.accept, value)
        break
    }
  }
  asked.conditional =
    asked.ifMatch !== null ||
    asked.ifNoneMatch !== null ||
    asked.ifModifiedSince !== null ||
    asked.ifUnmodifiedSince !== null ||
    asked.range !== null
  return asked
}

function join(before: string | null, value: string): string {
  return before === null ? value : `${before}, ${value}`
}
