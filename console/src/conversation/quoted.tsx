// Words of a message, which lead to where they were said.

interface Props {
  id: string | null;
  text: string;
  onJump: (messageId: string, quote: string) => void;
}

export function Quoted({ id, text, onJump }: Props) {
  if (id === null) return <q class="conv-quote">{text}</q>;
  return (
    <button
      type="button"
      class="conv-quote"
      data-quote={id}
      title="Show where this was said"
      onClick={() => onJump(id, text)}
    >
      <q>{text}</q>
    </button>
  );
}
