import { SearchIcon } from "../../client/ui/icons";
import { ChatsIcon, KeysIcon, SignOutIcon } from "../icons";
import { formatRoute } from "../route";
import { texts } from "../texts";

export interface RailProps {
  searching: boolean;
  waiting: number;
  unread: number;
  name: string;
  onKeys: () => void;
  onSignOut: () => void;
}

export function Rail({ searching, waiting, unread, name, onKeys, onSignOut }: RailProps) {
  const words = texts.rail;
  const count = waiting + unread;
  return (
    <nav class="rail" aria-label={words.label}>
      <a href={formatRoute({ page: "desk" })} aria-current={searching ? undefined : "page"} title={words.desk}>
        <ChatsIcon />
        <span>{words.desk}</span>
        {searching && count > 0 && <b class="count">{count}</b>}
      </a>
      <a href={formatRoute({ page: "search", q: "" })} aria-current={searching ? "page" : undefined} title={words.search}>
        <SearchIcon />
        <span>{words.search}</span>
      </a>
      <i />
      <button onClick={onKeys} title={words.keys} class="rail-keys">
        <KeysIcon />
        <span>{words.keys}</span>
      </button>
      <button onClick={onSignOut} title={`${words.signOut} (${name})`}>
        <SignOutIcon />
        <span>{words.signOut}</span>
      </button>
    </nav>
  );
}
