/** The documents of a pipeline: put in, watched while they are indexed, taken out. */

import { useEffect, useState } from "preact/hooks";
import { Badge, Busy, Button, confirm, Empty, Failure, Table } from "../../parts";
import { number } from "../../parts/format";
import { send, useGet } from "../../rest";
import { Indexing } from "./indexing";
import { PutDocuments } from "./putting";
import { type Document, type DocumentPage, nameOf, type Pipeline, pipelineAt, type Status } from "./types";

const PAGE = 20;

interface Props {
  pipeline: Pipeline;
  mayWrite: boolean;
  status: Status | null;
  changed(): void;
}

export function Documents({ pipeline, mayWrite, status, changed }: Props) {
  const [skip, setSkip] = useState(0);
  const at = pipelineAt(pipeline.id, "documents", "paginated");
  const page = useGet<DocumentPage>(at, { skip, limit: PAGE });
  const indexing = status?.status === "IN_PROGRESS";
  useEffect(() => {
    if (!indexing) page.reload(); // files have their text once they are read
  }, [indexing, page.reload]);

  function reload(): void {
    page.reload();
    changed();
  }

  return (
    <section class="playground-documents" aria-label="Documents">
      {mayWrite && <PutDocuments pipelineId={pipeline.id} stored={reload} />}
      {status && <Indexing pipelineId={pipeline.id} status={status} mayWrite={mayWrite} changed={changed} />}
      {page.error && <Failure error={page.error} retry={page.reload} />}
      {!page.data && page.loading && <Busy label="Reading the documents" />}
      {page.data && (
        <Listed pipeline={pipeline} page={page.data} mayWrite={mayWrite} status={status} changed={reload} />
      )}
      {page.data && page.data.total_count > PAGE && (
        <nav class="playground-pages" aria-label="Pages of documents">
          <Button kind="plain" disabled={skip === 0} onClick={() => setSkip(Math.max(0, skip - PAGE))}>
            Earlier
          </Button>
          <span>
            {skip + 1}–{Math.min(skip + PAGE, page.data.total_count)} of {number(page.data.total_count)}
          </span>
          <Button
            kind="plain"
            disabled={skip + PAGE >= page.data.total_count}
            onClick={() => setSkip(skip + PAGE)}
          >
            Later
          </Button>
        </nav>
      )}
    </section>
  );
}

interface ListedProps extends Props {
  page: DocumentPage;
}

function Listed({ pipeline, page, mayWrite, status, changed }: ListedProps) {
  async function remove(document: Document): Promise<void> {
    const name = nameOf(document);
    if (!(await confirm(`Remove ${name}?`, "Searches find it no longer.", "Remove"))) return;
    await send("DELETE", pipelineAt(pipeline.id, "documents", document.id));
    changed();
  }

  const failed = new Set(status?.error?.map((one) => one.document_id));
  const columns = [
    {
      key: "name",
      title: "Document",
      render: (document: Document) => (
        <>
          <strong>{nameOf(document)}</strong> {failed.has(document.id) && <Badge tone="bad">failed</Badge>}
          <span class="playground-begins">{document.text.slice(0, 120)}</span>
        </>
      ),
    },
    {
      key: "size",
      title: "Characters",
      align: "right" as const,
      render: (document: Document) => (document.text ? number(document.text.length) : "–"),
    },
    {
      key: "remove",
      title: "",
      render: (document: Document) =>
        mayWrite && (
          <Button kind="plain" label={`Remove ${nameOf(document)}`} onClick={() => remove(document)}>
            Remove
          </Button>
        ),
    },
  ];
  return (
    <Table
      caption="Documents of this pipeline"
      columns={columns}
      rows={page.documents}
      keyOf={(document: Document) => document.id}
      empty={<Empty title="No documents">Put Markdown, text, HTML or PDF files in to be searched.</Empty>}
    />
  );
}
