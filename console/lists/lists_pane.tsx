import { useCell } from "../cell";
import { useDesk } from "../desk/context";
import { texts } from "../texts";
import { useNow } from "../use_now";
import { closedItems, myItems, waitingCount, waitingItems } from "./lists";
import { MyRow } from "./my_row";
import { useHeldRows } from "./use_held_rows";
import { WaitTime } from "./wait_time";
import { WaitingRow } from "./waiting_row";

export function ListsPane({ selected }: { selected: number | null }) {
  const words = texts.lists;
  const desk = useDesk();
  const lists = useCell(desk.lists);
  const taking = useCell(desk.taking);
  const now = useNow(1000) + desk.chats.clockSkew;
  const waiting = waitingItems(lists);
  const mine = myItems(lists);
  const closed = closedItems(lists, (ticket) => desk.isClosed(ticket));
  const queue = useHeldRows(waiting, (ticket) => lists.known.has(ticket) || taking.has(ticket));
  const held = useHeldRows([...mine, ...closed]);
  const count = waitingCount(lists);
  const departments = desk.agent.departments;
  const loadingQueue = departments.some(({ id }) => !lists.queues.has(id));
  const nameOf = (id: string) => (departments.length > 1 ? departments.find((one) => one.id === id)?.name : undefined);

  return (
    <div class="lists">
      {selected === null && <h1 class="visually-hidden">{texts.rail.desk}</h1>}
      <section aria-labelledby="waiting-title" aria-busy={loadingQueue}>
        <header class="lists-head">
          <h2 id="waiting-title">
            {words.waiting} {!loadingQueue && <b class="number">{count}</b>}
          </h2>
          {waiting[0] !== undefined && <WaitTime since={waiting[0].since} now={now} label={words.longest} />}
        </header>
        {departments.length === 0 && <p class="lists-empty">{words.noDepartments}</p>}
        {departments.length > 0 && !loadingQueue && queue.rows.length === 0 && <p class="lists-empty">{words.nobodyWaits}</p>}
        {loadingQueue && queue.rows.length === 0 && <Skeleton rows={3} />}
        <ul class="rows" {...queue.listeners}>
          {queue.rows.map(({ item, gone }) => (
            <WaitingRow key={item.ticket} item={item} gone={gone} now={now} selected={item.ticket === selected} department={nameOf(item.department)} />
          ))}
        </ul>
        {count > waiting.length && <p class="lists-empty">{words.more(count - waiting.length)}</p>}
      </section>

      <section aria-labelledby="mine-title" aria-busy={lists.mine === null}>
        <header class="lists-head">
          <h2 id="mine-title">
            {words.mine} {lists.mine !== null && <b class="number">{mine.length}</b>}
          </h2>
        </header>
        {lists.mine === null && <Skeleton rows={2} />}
        {lists.mine !== null && held.rows.length === 0 && <p class="lists-empty">{words.noChats}</p>}
        <ul class="rows" {...held.listeners}>
          {held.rows.map(({ item, gone }) => (
            <MyRow key={item.ticket} item={item} gone={gone} now={now} selected={item.ticket === selected} />
          ))}
        </ul>
      </section>
    </div>
  );
}

function Skeleton({ rows }: { rows: number }) {
  return (
    <div class="skeleton" aria-hidden="true">
      {Array.from({ length: rows }, (_, row) => (
        <i key={row} />
      ))}
    </div>
  );
}
