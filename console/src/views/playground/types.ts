/** What the views of pipelines and sessions read over HTTP. */

export interface LlmParams {
  model_name: string;
  system_prompt: string | null;
  temperature: number | null;
  use_chain_of_thought_reasoning: boolean | null;
}

export interface RetrievalParams {
  dense_similarity_top_k: number;
  dense_similarity_cutoff: number;
  sparse_similarity_top_k: number;
  enable_reranking: boolean | null;
  rerank_top_n: number;
  alpha: number | null;
  search_filters: Record<string, unknown> | null;
  files_top_k: number;
  retrieval_mode: string;
}

export interface Settings {
  llm_params: LlmParams;
  retrieval_params: RetrievalParams;
}

export interface Session extends Settings {
  id: string;
  pipeline_id: string;
}

export interface Pipeline {
  id: string;
  name: string;
  created_at: string;
  shared: boolean;
  owner_id: string;
  transform_config: { chunk_size: number; chunk_overlap: number };
}

export interface Document {
  id: string;
  text: string;
  metadata: Record<string, unknown>;
}

export interface DocumentPage {
  documents: Document[];
  total_count: number;
}

export interface Status {
  status: "NOT_STARTED" | "IN_PROGRESS" | "SUCCESS" | "ERROR" | "PARTIAL_SUCCESS";
  error: { document_id: string; message: string }[] | null;
  documents?: { queued: number; indexed: number; failed: number };
}

export interface Source {
  document_id: string;
  chunk_id: string;
  score: number;
  excerpt: string;
  document?: string | null;
}

export interface Chunk {
  id_: string;
  text: string;
  start_char_idx: number | null;
  end_char_idx: number | null;
}

/** The address of a pipeline, below /api/v1. */
export function pipelineAt(id: string, ...path: string[]): string {
  return ["/api/v1/pipelines", encodeURIComponent(id), ...path.map(encodeURIComponent)].join("/");
}

/** What a document is called: its title or file name where its metadata has one. */
export function nameOf(document: { id: string; metadata: Record<string, unknown> }): string {
  for (const key of ["title", "name", "file_name"]) {
    const said = document.metadata[key];
    if (typeof said === "string" && said.trim()) return said;
  }
  return document.id;
}
