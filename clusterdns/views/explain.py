"""``clusterdns explain``: what is answered to a name, and why.

Generators that yield where a server lets queries have their turn.  What is answered is asked of the Responder itself;
the reasons are looked for in the objects, in front of the filters, which nothing on the wire may tell of.
"""

from collections.abc import Generator, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from msgspec import Struct

from clusterdns.cluster.addresses import address_text, parse_address
from clusterdns.cluster.model import Key, Published
from clusterdns.engine.answer import Responder
from clusterdns.engine.chain import MAX_LINKS
from clusterdns.engine.elsewhere import Elsewhere
from clusterdns.errors import Problem
from clusterdns.views.explain_answer import ask
from clusterdns.views.explain_endpoints import pods_in, told
from clusterdns.views.explain_hints import close, first
from clusterdns.views.explain_names import RULES, Fall, question_name, type_number
from clusterdns.views.explain_search import fall_of, search, status_of
from clusterdns.views.explain_service import Asked, Find, Finding, hidden_namespace, of_service
from clusterdns.views.explanation import FORWARDED, Answer, Explanation
from clusterdns.world import World
from clusterdns.zone import causes
from clusterdns.zone.causes import Cause
from clusterdns.zone.names import Name, child, labels, parse_name, to_text
from clusterdns.zone.pods import pod_address
from clusterdns.zone.prepared import DEFER
from clusterdns.zone.rdata import CNAME
from clusterdns.zone.reverse import parse_reverse, reverse_name
from clusterdns.zone.wildcards import is_wild

Steps = Generator[None, None, Explanation]

ADDRESSES = ("A", "AAAA")
MOST_TYPES = 8  # in one explanation
_WILD = "wildcards: everything that the name matches"


class Question(Struct, frozen=True):
    """*searches*: of the resolv.conf of a pod in *namespace*; *ndots* of the same."""

    name: str
    types: tuple[str, ...] = ()  # (): A and AAAA, PTR for an address
    namespace: str = "default"
    searches: tuple[str, ...] = ()
    ndots: int = 5
    top_level: AbstractSet[str] = frozenset()  # names that a namespace should not have

    def absolute(self) -> Name:
        """Raises ValueError for what is no name."""
        return reverse_name(parse_address(self.name)) if _is_address(self.name) else question_name(self.name)

    def numbers(self) -> tuple[int, ...]:
        """Raises ValueError for what is no type, and for too many."""
        if len(self.types) > MOST_TYPES:
            raise ValueError(f"{len(self.types)} types: ask for {MOST_TYPES} at most")
        return tuple(map(type_number, self.types or (("PTR",) if _is_address(self.name) else ADDRESSES)))

    def candidates(self) -> list[Name]:
        """The names that a resolver asks for, in its order: only the one where the name ends in a dot."""
        name = self.absolute()
        if self.name.endswith(".") or _is_address(self.name):
            return [name]
        found = [joined for search in self.searches if (joined := _joined(name, search))]
        enough = len(labels(name)) - 1 >= self.ndots
        return [name, *found] if enough else [*found, name]


def _is_address(text: str) -> bool:
    try:
        parse_address(text)
    except ValueError:
        return False
    return True


def _joined(name: Name, search: str) -> Name | None:
    try:
        return child(name[:-1], parse_name(search)) if search != "." else name
    except ValueError:
        return None


class Others(Elsewhere, Protocol):
    """Who is asked for names of others; here nobody is, and ``ask`` answers at once what can be known."""

    def cause(self, name: Name) -> Cause | None:
        """Who would be asked for *name*, or why nobody; None: there is nobody."""


def explain(world: World, question: Question, problems: Sequence[Problem], others: Others | None = None) -> Steps:
    """*problems*: of the manifests.  Raises ValueError for what is no name or no type."""
    responder, numbers = Responder(world.table, elsewhere=others), question.numbers()
    asked: list[tuple[Name, tuple[Answer, ...]]] = []
    for name in question.candidates():
        asked.append((name, tuple(ask(responder, name, number) for number in numbers)))
        yield
    chosen, steps = search(world, asked, question.top_level)
    name, answers = asked[chosen]
    landed = fall_of(world, name)
    types = tuple(answer.type for answer in answers)
    asked_for = Asked(landed, to_text(name), status_of(answers), types, problems)
    found = _abroad(others, asked_for, name)
    if found is None:
        found = yield from _find(world, asked_for, name, frozenset())
    elif landed.rule != "outside":
        yield from _fallen_through(world, asked_for, name, found)
    if others and found.alias:
        _alias_abroad(world, others, name, found)
    if found.cause is None and len(asked) > 1 and landed.rule == "service":
        found.cause = _captured(question, landed)
    return Explanation(
        name=to_text(name),
        answers=answers,
        why=found.why,
        asked=question.name,
        namespace=question.namespace,
        cause=found.cause,
        suggestions=tuple(found.suggestions),
        zone=landed.zone,
        rule=RULES[landed.rule],
        search=tuple(steps) if len(asked) > 1 else (),
        service=found.service,
        alias=tuple(found.alias),
        notes=tuple(found.notes),
    )


def _abroad(others: Others | None, asked: Asked, name: Name) -> Finding | None:
    """None: it is a matter of our zones, or there is nobody to ask."""
    if others is None or (asked.status != FORWARDED and asked.fall.rule != "outside"):
        return None
    cause = others.cause(name)
    if cause and asked.status == "NOERROR":
        return Finding(cause.text)
    return Finding(cause=cause) if cause else None


def _fallen_through(world: World, asked: Asked, name: Name, found: Finding) -> Generator[None, None, None]:
    """Adds why our zone has no such name, which may be what is wrong."""
    absent = Asked(asked.fall, asked.name, "NXDOMAIN", asked.types, asked.problems)
    own = yield from _find(world, absent, name, frozenset())
    if own.cause and found.cause:
        text = f"{found.cause.text}, for {asked.fall.zone} lacks it: {own.cause.text}"
        found.cause = Cause(found.cause.code, text, own.cause.advice)
    found.suggestions = own.suggestions


def _alias_abroad(world: World, others: Others, name: Name, found: Finding) -> None:
    _, last, end = _links(world, name)
    if end == "outside" and (cause := others.cause(last)):
        found.why = causes.ALIAS_FORWARDED.of(cause=cause.text).text


def _captured(question: Question, landed: Fall) -> Cause | None:
    """A name of the Internet that a pod gets from the cluster (search-path capture)."""
    if landed.namespace in question.top_level and "." in question.name and landed.namespace != question.namespace:
        return causes.CAPTURED.of(namespace=landed.namespace, asked=question.name)
    return None


def _find(world: World, asked: Asked, name: Name, seen: AbstractSet[Name]) -> Find:
    rule = asked.fall.rule
    if asked.status == "SERVFAIL":
        return Finding(cause=causes.NOT_SYNCED)
    if world.table.options.wildcards and is_wild(name) and asked.status in ("NOERROR", "NODATA"):
        return Finding(_WILD, None if asked.status == "NOERROR" else causes.NO_RECORDS.of(name=asked.name))
    if asked.fall.service:
        found = yield from of_service(world, asked)
        key = asked.fall.service
        published = world.table.tree.published.get(key)
        if published and published.service.type == "ExternalName":
            yield from _alias(world, asked, name, published, seen, found)
        return found
    if rule == "reverse":
        return (yield from _reverse(world, asked, name))
    if rule in ("pod", "pods"):
        return (yield from _pods(world, asked))
    if rule == "namespace":
        return (yield from _namespace(world, asked))
    if rule in ("outside", "other"):
        return _elsewhere(world, asked, name)
    return _fixed(asked)


def _fixed(asked: Asked) -> Finding:
    if asked.status == "NOERROR":
        return Finding(f"{RULES[asked.fall.rule]}, made by the server")
    if asked.fall.rule == "between":
        return Finding(cause=causes.NO_RECORDS.of(name=asked.name))
    types = {"apex": "NS and SOA", "version": "TXT", "server": "the addresses of the server"}[asked.fall.rule]
    kind = RULES[asked.fall.rule]
    return Finding(cause=causes.NO_TYPE.of(name=asked.name, type=first(asked.types), kind=kind, types=types))


def _namespace(world: World, asked: Asked) -> Find:
    namespace = asked.fall.namespace
    if asked.status == "NODATA":
        return Finding(cause=causes.NO_RECORDS.of(name=asked.name))
    cause = hidden_namespace(world, namespace) or causes.NO_NAMESPACE.of(namespace=namespace)
    near = yield from close(namespace, world.table.tree.namespaces)
    found = sorted(key for key in world.table.tree.published if key.name == namespace)
    swapped = [f"{key.name}.{key.namespace}.svc" for key in found[:3]]
    return Finding(cause=cause, suggestions=[*swapped, *(f"{one}.svc" for one in near)])


def _elsewhere(world: World, asked: Asked, name: Name) -> Finding:
    """Outside of our zones, or in one and neither below ``svc`` nor below ``pod``."""
    options = world.table.options
    parts = [part.decode("ascii", "replace") for part in labels(name)]
    suggestions = []
    for at in range(len(parts) - 1):
        name_, namespace = parts[at], parts[at + 1]
        if namespace == "svc" and at + 2 < len(parts):
            namespace = parts[at + 2]
        for key in (Key(namespace, name_), Key(name_, namespace)):
            if key in world.table.tree.published:
                before = "".join(f"{part}." for part in parts[:at])
                suggestions.append(f"{before}{key.name}.{key.namespace}.svc.{to_text(options.domains[0])}")
    chosen = tuple(dict.fromkeys(suggestions))[:3]
    if asked.fall.rule == "outside":
        zones = first([to_text(apex) for apex in (*options.domains, *options.reverse)])
        return Finding(cause=causes.OUTSIDE.of(name=asked.name, zones=zones), suggestions=chosen)
    cause = causes.NO_SVC.of(label=asked.fall.parts[-1], zone=asked.fall.zone)
    return Finding(cause=cause, suggestions=chosen)


def _alias(
    world: World, asked: Asked, name: Name, published: Published, seen: AbstractSet[Name], found: Finding
) -> Find:
    """Fills in *found* what follows from the alias, link by link."""
    target_text = published.service.external_name.removesuffix(".")
    if asked.fall.rule != "service":
        found.cause = causes.BELOW_ALIAS.of(service=f"Service {published.service.key}")
        return found
    links, last, end = _links(world, name)
    found.alias = [to_text(one) for one in links]
    if len(links) == 1:
        bare = target_text.replace(".", "").isdigit()
        found.cause = (causes.EXTERNAL_ADDRESS if bare else causes.EXTERNAL_INVALID).of(target=target_text)
    elif end == "loop":
        found.cause = causes.ALIAS_LOOP.of(target=to_text(last))
    elif end == "long":
        found.cause = causes.ALIAS_LONG.of(links=MAX_LINKS)
    elif end == "outside":
        found.why = causes.ALIAS_OUTSIDE.of(target=to_text(last)).text
    elif asked.status != "NOERROR" and not seen:
        landed = Asked(fall_of(world, last), to_text(last), asked.status, asked.types, asked.problems)
        inner = yield from _find(world, landed, last, seen | {name})
        why = inner.cause.text if inner.cause else asked.status
        found.cause = causes.ALIAS_TARGET.of(target=to_text(last), cause=why)
        found.suggestions = inner.suggestions
    return found


def _links(world: World, name: Name) -> tuple[list[Name], Name, str]:
    """The names of a chain, its last one, and how it ends: "loop", "long", "outside", or "" at a name of ours."""
    links = [name]
    while True:
        zone, node = world.table.find(links[-1])
        if zone < 0:
            return links, links[-1], "outside"
        if node is None or node.absent != DEFER or CNAME.rtype not in node.entries:
            return links, links[-1], ""
        if len(links) > MAX_LINKS:
            return links, links[-1], "long"
        target = Name(node.entries[CNAME.rtype].answers[12:])
        links.append(target)
        if target in links[:-1]:
            return links, target, "loop"


def _pods(world: World, asked: Asked) -> Find:
    options, namespace = world.table.options, asked.fall.namespace
    zone = asked.fall.zone
    if options.pods == "disabled":
        return Finding(cause=causes.PODS_DISABLED.of(zone=zone))
    cause = hidden_namespace(world, namespace)
    if not cause and not world.state.has_namespace(namespace):
        near = yield from close(namespace, world.table.tree.namespaces)
        return Finding(cause=causes.NO_NAMESPACE.of(namespace=namespace), suggestions=[f"{one}.pod" for one in near])
    if asked.fall.rule == "pods":
        return Finding(cause=cause or causes.NO_RECORDS.of(name=asked.name))
    label = asked.fall.parts[0]
    address = pod_address(label.encode("ascii", "replace"))
    if address is None:
        return Finding(cause=cause or causes.NOT_A_POD_NAME.of(label=label, namespace=namespace, zone=zone))
    holders = yield from _with_address(world, [namespace], address)
    if asked.status == "NOERROR":
        who = first(holders) or f"pods: {options.pods}, whether there is such a pod or not"
        return Finding(f"the address in the name, of {who}")
    if asked.status == "NODATA":
        has = address_text(address)
        return Finding(cause=causes.NO_FAMILY.of(item=asked.name, family=" or ".join(asked.types), has=f"it is {has}"))
    if holders:
        cause = cause or Cause("pod-left-out", f"{holders[0]} has it, and is terminating, ended or hidden by labels")
    return Finding(cause=cause or causes.NO_POD.of(namespace=namespace, address=address_text(address)))


def _with_address(world: World, namespaces: Sequence[str], address: bytes) -> Generator[None, None, list[str]]:
    found = []
    for namespace in namespaces:
        for count, pod in enumerate(pods_in(world, namespace)):
            if address in pod.addresses:
                found.append(told(world, pod))
            if not count % 64:
                yield
    return found


def _reverse(world: World, asked: Asked, name: Name) -> Find:
    span, tree = parse_reverse(name), world.table.tree
    if span is None:
        return Finding(cause=causes.NOT_REVERSE.of(name=asked.name))
    low, high = span
    text = address_text(low)
    if low != high:
        if asked.status == "NODATA":
            return Finding(cause=causes.NO_RECORDS.of(name=asked.name))
        return Finding(cause=causes.NO_HOLDER.of(address=f"{text} to {address_text(high)}, none of them"))
    holders = tree.reverse.of(low).holders(low)
    if holders:
        who = first([told(world, world.state.get("Service", key) or tree.published[key].service) for key in holders])
        if asked.status == "NODATA":
            types = {"name": asked.name, "type": first(asked.types), "kind": "a reverse name", "types": "PTR only"}
            return Finding(cause=causes.NO_TYPE.of(**types), suggestions=[f"{text} PTR"])
        return Finding(f"{text} is an address of {who}")
    cause = (yield from _outer(world, text)) or (yield from _served_by_none(world, low))
    owners = yield from _with_address(world, list(world.state.namespaces()), low)
    cause = cause or causes.NO_HOLDER.of(address=text)
    if owners:
        cause = Cause(cause.code, f"{cause.text}: {owners[0]} has it, and is no ready endpoint of a Service")
    return Finding(cause=cause)


Causes = Generator[None, None, Cause | None]


def _outer(world: World, text: str) -> Causes:
    for count, service in enumerate(list(world.table.tree.published.values())):
        if not count % 1024:
            yield
        if text in service.service.external_ips or text in service.service.load_balancer:
            return causes.EXTERNAL_IP.of(address=text, service=f"Service {service.service.key}")
    return None


def _served_by_none(world: World, address: bytes) -> Causes:
    """A Service that writes the address and is hidden."""
    for count, service in enumerate(list(world.state.all("Service"))):
        if not count % 1024:
            yield
        if address in service.cluster_ips and service.key not in world.table.tree.published:
            return hidden_namespace(world, service.key.namespace) or causes.HIDDEN_LABELS.of(
                item=f"Service {service.key}", labels="other labels"
            )
    return None
