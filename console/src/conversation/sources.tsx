// What a reply rests on, best first.

import type { Source } from "./types";

export function SourceList({ sources }: { sources: Source[] }) {
  return (
    <details class="conv-sources">
      <summary>
        {sources.length} {sources.length === 1 ? "source" : "sources"}
      </summary>
      <ol>
        {sources.map((source) => (
          <li key={source.chunk_id}>
            <strong>{source.document ?? source.document_id}</strong>{" "}
            <span class="conv-score">relevance {source.score.toFixed(2)}</span>
            <p>{source.excerpt}</p>
          </li>
        ))}
      </ol>
    </details>
  );
}
