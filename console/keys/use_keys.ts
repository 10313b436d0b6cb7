import { useEffect, useRef } from "preact/hooks";
import { keyCommand, type KeyCommand } from "./commands";

export function useKeys(actions: Record<KeyCommand, () => unknown>): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const command = keyCommand(event, isField(event.target));
      // A dialog has the keyboard to itself.
      if (command === null || document.querySelector("dialog[open]") !== null) return;
      event.preventDefault();
      latest.current[command]();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}
