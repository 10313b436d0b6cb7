import { useEffect, useState } from "preact/hooks";
import { openLine, type OpenLine } from "../client/open_line";
import { socketUrl } from "../client/socket";
import { openStore } from "../client/storage";
import { DeskContext } from "./desk/context";
import { Desk, scopeOf } from "./desk/desk";
import { DeskView } from "./desk/desk_view";
import { type Agent, findSession, getPass, type Session, signOut } from "./session/session";
import { Setup } from "./session/setup";
import { SignIn } from "./session/sign_in";
import { texts } from "./texts";

export function App({ secret }: { secret: string | null }) {
  const [session, setSession] = useState<Session>({ page: "loading" });
  const find = () => {
    setSession({ page: "loading" });
    void findSession(secret).then(setSession);
  };
  const enter = (agent: Agent) => setSession({ page: "in", agent });
  useEffect(find, []);

  switch (session.page) {
    case "loading":
      return <Waiting />;
    case "unreachable":
      return (
        <main class="gate">
          <div class="gate-card">
            <p role="alert">{texts.unreachable}</p>
            <button class="primary" onClick={find}>
              {texts.retry}
            </button>
          </div>
        </main>
      );
    case "setup":
      return <Setup secret={session.secret} onIn={enter} />;
    case "sign-in":
      return <SignIn told={session.told} onIn={enter} />;
    case "in":
      return <SignedIn key={session.agent.id} agent={session.agent} onOut={(told) => setSession({ page: "sign-in", told })} />;
  }
}

function SignedIn({ agent, onOut }: { agent: Agent; onOut: (told: "signed-out" | "ended") => void }) {
  const [desk, setDesk] = useState<Desk | null>(null);

  useEffect(() => {
    let left = false;
    let made: { desk: Desk; line: OpenLine } | null = null;
    void openLine({ scope: scopeOf(agent), store: openStore(), url: socketUrl(), getPass }).then((line) => {
      if (left) return line.release();
      made = { desk: new Desk(agent, line), line };
      made.desk.start();
      setDesk(made.desk);
    });
    return () => {
      left = true;
      made?.desk.stop();
      made?.line.release();
      document.title = texts.product;
    };
  }, [agent.id]);

  async function leave(): Promise<void> {
    if (desk === null) return;
    try {
      await signOut();
    } catch {
      desk.tell(texts.unreachable);
      return;
    }
    desk.chats.socket.clear();
    history.replaceState(null, "", location.pathname);
    onOut("signed-out");
  }

  if (desk === null) return <Waiting />;
  return (
    <DeskContext.Provider value={desk}>
      <DeskView onSignOut={leave} onEnded={() => onOut("ended")} />
    </DeskContext.Provider>
  );
}

function Waiting() {
  return (
    <main class="gate" aria-busy="true">
      <p class="visually-hidden" role="status">
        {texts.loading}
      </p>
    </main>
  );
}
