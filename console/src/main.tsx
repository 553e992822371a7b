import "./styles/index.css";
import { render } from "preact";
import { App } from "./app";
import { start } from "./socket";

const place = document.getElementById("app");
if (place) render(<App />, place);
start();
