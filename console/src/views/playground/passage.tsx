/** A passage where it stands in its document. */

import { useEffect, useRef, useState } from "preact/hooks";
import { Busy, Button, Dialog, Failure } from "../../parts";
import { get, RestError } from "../../rest";
import { type Chunk, type Document, pipelineAt, type Source } from "./types";

const AROUND = 1_500; // characters before and after the passage
const PAGE = 200;

interface Found {
  document: Document;
  start: number;
  end: number;
}

interface Props {
  pipelineId: string;
  source: Source | null;
  close(): void;
}

/** Show a source in a dialog; what it was cut from may have changed since. */
export function Passage({ pipelineId, source, close }: Props) {
  const title = source ? (source.document ?? source.document_id) : "Passage";
  return (
    <Dialog title={title} open={source !== null} onClose={close}>
      {source && <Place key={source.chunk_id} pipelineId={pipelineId} source={source} />}
    </Dialog>
  );
}

function Place({ pipelineId, source }: { pipelineId: string; source: Source }) {
  const [found, setFound] = useState<Found | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [tries, setTries] = useState(0);

  useEffect(() => {
    const abort = new AbortController();
    setError(null);
    find(pipelineId, source, abort.signal).then(setFound, (reason: unknown) => {
      if (!abort.signal.aborted) setError(reason instanceof Error ? reason : new Error(String(reason)));
    });
    return () => abort.abort();
  }, [pipelineId, source, tries]);

  if (error instanceof RestError && error.status === 404) {
    return (
      <>
        <p>This document is not in the pipeline any more. The answer read this of it:</p>
        <blockquote class="playground-quote">{source.excerpt}</blockquote>
      </>
    );
  }
  if (error) return <Failure error={error} retry={() => setTries(tries + 1)} />;
  return found ? <Text found={found} /> : <Busy label="Looking for the passage" />;
}

function Text({ found }: { found: Found }) {
  const [whole, setWhole] = useState(false);
  const mark = useRef<HTMLElement>(null);
  const { text } = found.document;
  const from = whole ? 0 : Math.max(0, found.start - AROUND);
  const to = whole ? text.length : Math.min(text.length, found.end + AROUND);

  useEffect(() => mark.current?.scrollIntoView({ block: "center" }), [whole]);

  return (
    <>
      {found.end === 0 && <p>The document has changed since; this is how it is now.</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard */}
      <section class="playground-document" tabIndex={0} aria-label="The document">
        {from > 0 && "… "}
        {text.slice(from, found.start)}
        {found.end > found.start && <mark ref={mark}>{text.slice(found.start, found.end)}</mark>}
        {text.slice(found.end, to)}
        {to < text.length && " …"}
      </section>
      {!whole && to - from < text.length && (
        <Button kind="plain" onClick={() => setWhole(true)}>
          Show the whole document
        </Button>
      )}
    </>
  );
}

/** Read a document and where the passage stands in it; a whole file is its own passage. */
async function find(pipelineId: string, source: Source, signal: AbortSignal): Promise<Found> {
  const at = pipelineAt(pipelineId, "documents", source.document_id);
  const document = await get<Document>(at, {}, signal);
  for (let skip = 0; ; skip += PAGE) {
    const chunks = await get<Chunk[]>(`${at}/chunks`, { skip, limit: PAGE }, signal);
    const chunk = chunks.find((one) => one.id_ === source.chunk_id);
    if (chunk) return { document, ...placed(document.text, chunk) };
    if (chunks.length < PAGE) return { document, start: 0, end: 0 };
  }
}

/** The server counts characters as Python does, one for each code point; texts here count UTF-16 units. */
function placed(text: string, chunk: Chunk): { start: number; end: number } {
  const start = unitsOf(text, chunk.start_char_idx ?? 0);
  const end = unitsOf(text, chunk.end_char_idx ?? 0);
  return { start, end };
}

function unitsOf(text: string, points: number): number {
  let units = 0;
  for (let left = points; left > 0 && units < text.length; left--) {
    units += (text.codePointAt(units) ?? 0) > 0xffff ? 2 : 1;
  }
  return units;
}
