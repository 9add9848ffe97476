/** A tree as a site file in YAML, that reads back as the same tree. */
import { Document, isScalar, Scalar, visit } from 'yaml'
import { type MapNode, plainValue } from '../site/tree.ts'

/** As a person would write it; whatever else there is comes behind. */
const FIRST = ['listen', 'hosts', 'routes', 'apps']

function inOrder(root: MapNode): MapNode {
  const rank = (key: string): number => FIRST.indexOf(key) + 1 || FIRST.length + 1
  const entries = [...root.entries].sort(([a], [b]) => rank(a) - rank(b))
  return { ...root, entries: new Map(entries) }
}

/** `head` and `foot`: lines of comments around it. */
export function writeYaml(root: MapNode, head: readonly string[], foot: readonly string[]): string {
  const document = new Document(plainValue(inOrder(root)))
  visit(document, {
    Scalar(key, node) {
      if (!isScalar(node) || typeof node.value !== 'string') return
      // ${NAME} would be a variable.
      node.value = node.value.replaceAll('$', '$$$$')
      // A path or an address as a key needs no quotes; addresses as values look better with them.
      if (key !== 'key' && /^[:[]|:\d/.test(node.value as string)) node.type = Scalar.QUOTE_DOUBLE
    },
  })
  const comment = (lines: readonly string[]): string =>
    lines.map((line) => `# ${line}`.trimEnd() + '\n').join('')
  const body = document.toString({ lineWidth: 0, flowCollectionPadding: true })
  return comment(head) + body + (foot.length === 0 ? '' : `\n${comment(foot)}`)
}
