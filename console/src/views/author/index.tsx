/** Authoring: drafts that a model and people write together, and what was stored of them. */

import { route } from "../../router";
import { Editor } from "./editor";
import { Lists } from "./lists";
import "./style.css";

export default function Author() {
  const [id, tab] = route.value.path;
  if (id === "content") return <Lists kind={tab ?? "practice"} />;
  return id ? <Editor key={id} id={id} /> : <Lists kind={null} />;
}
