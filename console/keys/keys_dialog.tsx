import { useEffect, useRef } from "preact/hooks";
import { CloseIcon } from "../../client/ui/icons";
import { texts } from "../texts";

export function KeysDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const words = texts.keys;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} class="keys" aria-labelledby="keys-title" onClose={onClose} onClick={(event) => event.target === dialog.current && onClose()}>
      <div class="keys-inside">
        <header>
          <h2 id="keys-title">{words.title}</h2>
          <button class="icon-button" aria-label={words.close} title={words.close} onClick={onClose}>
            <CloseIcon />
          </button>
        </header>
        <dl>
          {words.rows.map(([key, what]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
      </div>
    </dialog>
  );
}
