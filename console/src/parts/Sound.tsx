/** A recording: fetched when it is asked for, because the token goes in a header. */

import { useEffect, useRef, useState } from "preact/hooks";
import { blobAt } from "../rest";
import { Button } from "./Button";

export function Sound({ path, label }: { path: string; label: string }) {
  const [address, setAddress] = useState<string | null>(null);
  const shown = useRef(true);
  useEffect(() => () => void (address && URL.revokeObjectURL(address)), [address]);
  useEffect(
    () => () => {
      shown.current = false;
    },
    [],
  );
  const fetched = async () => {
    const sound = await blobAt(path);
    if (shown.current) setAddress(URL.createObjectURL(sound));
  };
  if (address !== null)
    // biome-ignore lint/a11y/useMediaCaption: its words stand beside it
    return <audio class="sound" src={address} controls autoplay aria-label={label} />;
  return (
    <Button onClick={fetched} label={label}>
      Play
    </Button>
  );
}
