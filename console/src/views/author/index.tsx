/** Authoring: drafts that a model and people write together, and what was stored of them. */

import { route } from "../../router";
import { ContentEditor } from "./content";
import { Editor } from "./editor";
import { Lists } from "./lists";
import "./style.css";

export default function Author() {
  const [id, kind, key] = route.value.path;
  if (id === "content" && kind && key) return <ContentEditor key={key} kind={kind} id={key} />;
  if (id === "content") return <Lists kind={kind ?? "practice"} />;
  return id ? <Editor key={id} id={id} /> : <Lists kind={null} />;
}
