import type { InputHTMLAttributes } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { refusalText, texts } from "../texts";
import { type Account, type AccountField, accountProblem } from "./account";
import { type Agent, type Refusal, refusalOf, setUp } from "./session";

export interface SetupProps {
  secret: string;
  onIn: (agent: Agent) => void;
}

interface Field {
  field: AccountField;
  input: InputHTMLAttributes<HTMLInputElement>;
  label: string;
  hint?: string;
  wrong: string;
}

const FIELDS: readonly Field[] = [
  { field: "name", input: { type: "text", autocomplete: "name" }, label: texts.setup.name, hint: texts.setup.nameHint, wrong: texts.setup.nameMissing },
  { field: "email", input: { type: "email", autocomplete: "username" }, label: texts.setup.email, wrong: texts.setup.emailWrong },
  { field: "password", input: { type: "password", autocomplete: "new-password" }, label: texts.setup.password, hint: texts.setup.passwordHint, wrong: texts.setup.passwordShort },
];

export function Setup({ secret, onIn }: SetupProps) {
  const words = texts.setup;
  const [account, setAccount] = useState<Account>({ name: "", email: "", password: "" });
  const [wrong, setWrong] = useState<AccountField | null>(null);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const focus = (field: AccountField) => form.current?.querySelector<HTMLInputElement>(`[name="${field}"]`)?.focus();

  useEffect(() => focus("name"), []);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    if (busy) return;
    const problem = accountProblem(account);
    setWrong(problem);
    setRefusal(null);
    if (problem !== null) return focus(problem);
    setBusy(true);
    try {
      onIn(await setUp(secret, account.name, account.email, account.password));
    } catch (error) {
      setBusy(false);
      const now = Date.now();
      const refused = refusalOf(error, now);
      setRefusal(refused.kind === "wrong" ? { kind: "link" } : refused);
    }
  }

  return (
    <main class="gate">
      <form class="gate-card" ref={form} onSubmit={submit} noValidate aria-labelledby="setup-title">
        <h1 id="setup-title">{words.title}</h1>
        <p class="muted">{words.intro}</p>
        {FIELDS.map(({ field, input, label, hint, wrong: wrongText }) => (
          <label class="field" key={field}>
            <span>{label}</span>
            <input
              {...input} name={field} required value={account[field]} aria-invalid={wrong === field}
              aria-describedby={`setup-${field}`} onInput={(event) => setAccount({ ...account, [field]: event.currentTarget.value })}
            />
            <small id={`setup-${field}`} class={wrong === field ? "wrong" : ""}>
              {wrong === field ? wrongText : hint}
            </small>
          </label>
        ))}
        <p class="wrong" role="alert">
          {refusal !== null && refusalText(refusal, Date.now())}
        </p>
        <button class="primary" aria-disabled={busy}>
          {busy ? words.busy : words.submit}
        </button>
      </form>
    </main>
  );
}
