import { useEffect, useState } from "preact/hooks";
import { HttpError } from "../client/http";
import { ByCode } from "./by_code";
import { Loading } from "./loading";
import { OwnChats } from "./own/own_chats";
import { enterInbox, keepSession, keptSession } from "./session";
import { parseRoute, passOfFragment, useFragment, withoutPass } from "./route";
import { texts } from "./texts";

type Entry =
  | { readonly as: "entering"; readonly pass: string }
  | { readonly as: "unreachable"; readonly pass: string }
  | { readonly as: "customer"; readonly token: string }
  /** `told`: why one's own chats are not shown. */
  | { readonly as: "nobody"; readonly told: string | null };

/** Who comes from the chat window sees their own chats; everybody else opens one with its access code. */
export function App() {
  const [entry, setEntry] = useState<Entry>(firstEntry);
  const fragment = useFragment();
  const route = parseRoute(fragment);

  useEffect(() => {
    // The pass is good for once. It must not stay in the address.
    if (passOfFragment(location.hash) !== "") history.replaceState(null, "", withoutPass(location.hash));
  }, []);
  useEffect(() => {
    if (entry.as === "entering") void enter(entry.pass);
  }, [entry]);

  async function enter(pass: string): Promise<void> {
    try {
      const token = await enterInbox(pass);
      keepSession(token);
      setEntry({ as: "customer", token });
    } catch (error) {
      if (error instanceof HttpError && error.temporary) return setEntry({ as: "unreachable", pass });
      const kept = keptSession(); // a reload of the page that it opened
      setEntry(kept === null ? { as: "nobody", told: texts.own.linkOver } : { as: "customer", token: kept });
    }
  }

  function ended(): void {
    keepSession(null);
    setEntry({ as: "nobody", told: texts.own.over });
  }

  switch (entry.as) {
    case "entering":
      return <Loading text={texts.own.loading} />;
    case "unreachable":
      return (
        <main class="paper">
          <p class="wrong" role="alert">
            {texts.own.unreachable}{" "}
            <button class="plain" onClick={() => setEntry({ as: "entering", pass: entry.pass })}>
              {texts.retry}
            </button>
          </p>
        </main>
      );
    case "customer":
      return route.page === "code" ? <ByCode hasOwn told={null} /> : <OwnChats token={entry.token} route={route} onEnded={ended} />;
    case "nobody":
      return <ByCode hasOwn={false} told={entry.told} />;
  }
}

function firstEntry(): Entry {
  const pass = passOfFragment(location.hash);
  if (pass !== "") return { as: "entering", pass };
  const token = keptSession();
  return token === null ? { as: "nobody", told: null } : { as: "customer", token };
}
