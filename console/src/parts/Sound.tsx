/** A recording: fetched when it is asked for, because the token goes in a header. */

import { useEffect, useState } from "preact/hooks";
import { blobAt } from "../rest";
import { Button } from "./Button";

export function Sound({ path, label }: { path: string; label: string }) {
  const [address, setAddress] = useState<string | null>(null);
  useEffect(() => () => void (address && URL.revokeObjectURL(address)), [address]);
  if (address !== null)
    // biome-ignore lint/a11y/useMediaCaption: its words stand beside it
    return <audio class="sound" src={address} controls autoplay aria-label={label} />;
  return (
    <Button onClick={async () => setAddress(URL.createObjectURL(await blobAt(path)))} label={label}>
      Play
    </Button>
  );
}
