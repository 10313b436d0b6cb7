import { useEffect, useRef, useState } from "preact/hooks";
import { refusalText, texts } from "../texts";
import { useNow } from "../use_now";
import { type Agent, type Refusal, refusalOf, signIn } from "./session";

export interface SignInProps {
  told: keyof typeof texts.signIn.told | null;
  onIn: (agent: Agent) => void;
}

export function SignIn({ told, onIn }: SignInProps) {
  const words = texts.signIn;
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [missing, setMissing] = useState(false);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const emailField = useRef<HTMLInputElement>(null);
  const passwordField = useRef<HTMLInputElement>(null);
  const now = useNow(refusal?.kind === "wait" ? 1000 : null);

  useEffect(() => emailField.current?.focus(), []);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    if (busy) return;
    const lacks = email.trim() === "" ? emailField : password === "" ? passwordField : null;
    setMissing(lacks !== null);
    setRefusal(null);
    if (lacks !== null) return lacks.current?.focus();
    setBusy(true);
    try {
      onIn(await signIn(email, password));
    } catch (error) {
      setBusy(false);
      setRefusal(refusalOf(error, Date.now()));
      passwordField.current?.select();
    }
  }

  const refused = refusal !== null && !(refusal.kind === "wait" && refusal.until <= now);
  return (
    <main class="gate">
      <form class="gate-card" onSubmit={submit} noValidate aria-labelledby="sign-in-title">
        <h1 id="sign-in-title">{words.title}</h1>
        {told !== null && refusal === null && <p role="status">{words.told[told]}</p>}
        <label class="field">
          <span>{words.email}</span>
          <input ref={emailField} type="email" name="email" autocomplete="username" required value={email} onInput={(event) => setEmail(event.currentTarget.value)} />
        </label>
        <label class="field">
          <span>{words.password}</span>
          <input
            ref={passwordField} type="password" name="password" autocomplete="current-password" required value={password}
            onInput={(event) => setPassword(event.currentTarget.value)} aria-invalid={refused && refusal.kind === "wrong"}
          />
        </label>
        <p class="wrong" role="alert">
          {missing ? words.missing : refused && refusalText(refusal, now)}
        </p>
        <button class="primary" aria-disabled={busy}>
          {busy ? words.busy : words.submit}
        </button>
      </form>
    </main>
  );
}
