"""`chatserver transcripts search`: what a query finds, for reading or as JSON lines."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path

import click
import msgspec

from chatserver.cli.common import data_option, database, json_option, settings_of
from chatserver.cli.terminal import day, one_line
from chatserver.config import Settings
from transcripts.search import Facets, Scope, Search


class _QueryCommand(click.Command):
    """A query may begin with a hyphen (`-red`: without that word): only what begins with two is an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        taking = {name for it in self.params if isinstance(it, click.Option) and not it.is_flag for name in it.opts}
        options: list[str] = []
        words: list[str] = []
        rest = iter(args)
        for arg in rest:
            if arg == "--":
                words += rest
            elif arg in taking:
                options += [arg, *islice(rest, 1)]
            elif arg.startswith("--") or arg == "-h":
                options.append(arg)
            else:
                words.append(arg)
        return super().parse_args(ctx, [*options, "--", *words])


@click.command("search", cls=_QueryCommand)
@click.argument("query", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True)
@click.option("--tz", default="UTC", show_default=True, help="Zone of the days in after:, before:, on:.")
@click.option("--facets", is_flag=True, help="Count topics, agents and months of what is found, too (on stderr).")
@json_option
@data_option
def search_command(
    query: tuple[str, ...], limit: int, tz: str, facets: bool, as_json_lines: bool, data: Path | None
) -> None:
    """Find chats: words, "phrases", prefix*, -not, ticket: order: agent: customer: topic: from: after: before: on: …"""
    asyncio.run(_search(" ".join(query), limit, tz, facets, as_json_lines, settings_of(data=data)))


async def _search(query: str, limit: int, tz: str, facets: bool, as_json_lines: bool, settings: Settings) -> None:
    async with database(settings) as engine:
        search = Search(engine)
        while await search.index_pending(500):
            pass
        found = await search.search(query, scope=Scope.staff(), limit=limit, tz=tz, facets=facets)
        hits, following = list(found.results), found.next
        while following is not None and len(hits) < limit:
            page = await search.search(query, scope=Scope.staff(), limit=limit - len(hits), cursor=following, tz=tz)
            hits, following = [*hits, *page.results], page.next
    for hit in hits:
        snippet = "".join(text for text, _ in hit.snippet)
        if as_json_lines:
            fields = {
                "ticket": hit.ticket,
                "external_id": hit.external_id,
                "score": hit.score,
                "opened_at": hit.opened_at,
                "topic": hit.topic,
                "snippet": snippet,
            }
            click.echo(msgspec.json.encode(fields).decode())
        else:
            marked = "".join(
                click.style(one_line(text), bold=True) if match else one_line(text) for text, match in hit.snippet
            )
            head = "  ".join(
                part for part in (f"#{hit.ticket}", day(hit.opened_at), hit.customer_name, hit.topic, hit.order) if part
            )
            click.echo(f"{one_line(head)}\n    {marked}")
    if not hits and not as_json_lines:
        click.echo("Nothing found.", err=True)
    if found.did_you_mean is not None:
        click.echo(f"Did you mean: {one_line(found.did_you_mean)}", err=True)
    for name, counted in _facets(found.facets):
        click.echo(f"{name}: {one_line(', '.join(f'{value} ({chats})' for value, chats in counted))}", err=True)


def _facets(facets: Facets | None) -> list[tuple[str, tuple[tuple[str, int], ...]]]:
    if facets is None:
        return []
    kinds = (("Topics", facets.topics), ("Agents", facets.agents), ("Months", facets.months))
    return [(name, counted) for name, counted in kinds if counted]
