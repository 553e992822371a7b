/** The passages that an answer rests on, and its text with marks that lead to them. */

import type { ComponentChildren } from "preact";
import { number } from "../../parts/format";
import type { Source } from "./types";

export type OpenSource = (source: Source) => void;

interface SourcesProps {
  sources: Source[];
  open: OpenSource;
}

/** List what was found, best first; each opens its passage. */
export function Sources({ sources, open }: SourcesProps) {
  if (sources.length === 0) {
    return <p class="playground-nothing">Nothing in the documents fits this question.</p>;
  }
  return (
    <ol class="playground-sources" aria-label="Sources">
      {sources.map((source, index) => (
        <li key={source.chunk_id}>
          <button type="button" class="playground-source" onClick={() => open(source)}>
            <span class="playground-source-head">
              <span class="playground-mark">{index + 1}</span>
              <span class="playground-source-name">{source.document ?? source.document_id}</span>
              <span class="playground-score" title="Score of the search">
                {number(Math.round(source.score * 100) / 100)}
              </span>
            </span>
            <span class="playground-excerpt">{source.excerpt}</span>
          </button>
        </li>
      ))}
    </ol>
  );
}

/** Show a text in which [1] opens the first source. */
export function Cited({ text, sources, open }: { text: string } & SourcesProps) {
  const parts: ComponentChildren[] = [];
  let done = 0;
  for (const found of text.matchAll(/\[(\d{1,3})\]/g)) {
    const source = sources[Number(found[1]) - 1];
    if (!source) continue;
    parts.push(text.slice(done, found.index));
    parts.push(
      <button
        type="button"
        key={found.index}
        class="playground-cite"
        title={source.document ?? source.document_id}
        aria-label={`Source ${found[1]}: ${source.document ?? source.document_id}`}
        onClick={() => open(source)}
      >
        {found[1]}
      </button>,
    );
    done = found.index + found[0].length;
  }
  parts.push(text.slice(done));
  return <p class="playground-text">{parts}</p>;
}
