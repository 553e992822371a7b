/** A microphone, in frames of 40 ms: 16-bit samples, little-endian, 24 kHz. */

import framesUrl from "./frames.worklet.ts?worker&url";

/** Why there is no sound, in words that say what to do. */
export class NoMicrophone extends Error {}

export interface Microphone {
  /** What is heard now, for a picture of it. */
  analyser: AnalyserNode;
  close(): void;
}

interface Ears {
  hear: (frame: ArrayBuffer) => void;
  /** The microphone was taken away. */
  lost: () => void;
}

/** Opens the microphone; echoes of what is played are taken out by the browser. Rejects with NoMicrophone. */
export async function openMicrophone({ hear, lost }: Ears): Promise<Microphone> {
  const stream = await permitted();
  let context: AudioContext | null = null;
  const close = () => {
    for (const track of stream.getTracks()) track.stop();
    void context?.close();
  };
  try {
    let source: MediaStreamAudioSourceNode;
    [context, source] = sourceOf(stream);
    await context.audioWorklet.addModule(framesUrl);
    for (const track of stream.getTracks()) track.addEventListener("ended", lost);
    const analyser = new AnalyserNode(context, { fftSize: 512 });
    const frames = new AudioWorkletNode(context, "frames", { numberOfOutputs: 0 });
    frames.port.onmessage = (event: MessageEvent<ArrayBuffer>) => hear(event.data);
    source.connect(analyser);
    source.connect(frames);
    await context.resume();
    return { analyser, close };
  } catch (error) {
    close();
    throw new NoMicrophone(`The microphone cannot be read: ${String(error)}`);
  }
}

/** At the rate that is sent where a browser can bring a microphone to it; the worklet does it elsewhere. */
function sourceOf(stream: MediaStream): [AudioContext, MediaStreamAudioSourceNode] {
  const wanted = new AudioContext({ sampleRate: 24_000 });
  try {
    return [wanted, wanted.createMediaStreamSource(stream)];
  } catch {
    void wanted.close();
    const own = new AudioContext();
    return [own, own.createMediaStreamSource(stream)];
  }
}

async function permitted(): Promise<MediaStream> {
  if (!navigator.mediaDevices)
    throw new NoMicrophone("Browsers give the microphone to pages over HTTPS, or on this machine, only.");
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotAllowedError")
      throw new NoMicrophone(
        "The microphone is not allowed: allow it beside the page's address, and try again.",
      );
    if (name === "NotFoundError")
      throw new NoMicrophone("There is no microphone: connect one, and try again.");
    throw new NoMicrophone("The microphone cannot be opened; another program may hold it.");
  }
}
