// Practise: choose, talk, be graded, look back.

import { route } from "../../router";
import { AttemptPage } from "./attempt";
import { History } from "./history";
import { Start } from "./start";
import "./style.css";

export default function Practise() {
  const [first, second, third, fourth] = route.value.path;
  if (first === "history") return <History />;
  if (first === "attempt" && second) {
    return <AttemptPage key={second} id={second} chatId={third === "chat" ? (fourth ?? null) : null} />;
  }
  return <Start />;
}
