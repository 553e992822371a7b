import { route } from "../../router";
import "../tests/talk.css";
import "./style.css";
import { Rooms } from "./list";
import { RoomPage } from "./room";

/** What goes on: the list of rooms, and one of them: #/watch, #/watch/<room>. */
export default function Watch() {
  const [room] = route.value.path;
  return room ? <RoomPage key={room} room={room} /> : <Rooms />;
}
