"""Namespaces whose names do harm, and names that harm each other (CD551 to CD554)."""

from collections.abc import Iterator

from clusterdns.cluster.documents import Path
from clusterdns.cluster.model import Object, Service
from clusterdns.lints.scene import Finding, Scene, nearest, warn
from clusterdns.zone.names import labels, to_text

# The first search path of a pod ends in its namespace, the second in svc: ``example.com`` is tried as
# ``example.com.svc.cluster.local`` before the Internet is asked, and that is the Service ``example`` of the namespace
# ``com`` (CVE-2022-2835).  ICANN's list has 1,400 names and changes; it also holds dev, app, prod, shop, data, ci and
# qa, which are fine names for namespaces and would only teach people to overlook this warning.  So: what most names end
# in, those of offices and clouds (internal, lan, corp) among them.
TOP_LEVEL = frozenset(
    """com net org edu gov mil int arpa info biz mobi aero asia xyz top onion internal lan home corp
    ai at au be br ca cc ch cl cn co cz de dk ee es eu fi fr gg gr hk hu ie il in io ir is it jp kr lt lu lv
    me mx nl no nz ph pl pt ro rs ru se sg si sk th tr tv tw ua uk us vn za""".split()  # noqa: SIM905 - words
)
_ALWAYS_THERE = frozenset(("default", "kube-system", "kube-public", "kube-node-lease"))


def namespaces(scene: Scene) -> Iterator[Finding]:
    first: dict[str, Service] = {}
    for service in scene.services:
        first.setdefault(service.key.namespace, service)
    declared = {one.key.name: one for one in scene.state.all("Namespace")}
    for name in sorted(declared.keys() | first.keys()):
        item = declared.get(name) or first[name]
        yield from _captures(scene, name, item, ("metadata", "name" if name in declared else "namespace"))
    for name in sorted(first.keys() - declared.keys() - _ALWAYS_THERE) if declared else ():
        near = nearest(name, declared)
        guess = f"; there is a Namespace {near}" if near else ""
        text = f"no Namespace {name} is declared, though others are: an API server would refuse this Service{guess}"
        remedy = f"write {near}, or declare {name}" if near else f"declare Namespace {name}"
        yield warn(first[name], ("metadata", "namespace"), "CD553", text, remedy)
    yield from _variables(scene)


def _captures(scene: Scene, name: str, item: Object, path: Path) -> Iterator[Finding]:
    domain = scene.zones.domains[0]
    own = {"svc", "pod", *(label.decode("ascii") for label in labels(domain))}
    if name in own:
        text = f"{name} is a part of the search path: names that end in .{name} are looked for among its Services first"
        yield warn(item, path, "CD552", text, "name the namespace otherwise")
    elif name in TOP_LEVEL:
        text = (
            f"{name} is a top-level domain: a Service example in it answers pods that ask for example.{name},"
            f" as example.{name}.svc.{to_text(domain)}"
        )
        yield warn(item, path, "CD551", text, "name the namespace otherwise, for instance with a prefix")


def _variables(scene: Scene) -> Iterator[Finding]:
    """Docker's link variable of ``db-service`` is DB_SERVICE_PORT, and so is the port of ``db`` (kubelet's envvars).

    Other names cannot clash: they have no underscores and no capitals to lose.
    """
    for service in scene.services:
        short = service.key.name.removesuffix("-service")
        other = scene.service(service.key.namespace, short) if short != service.key.name else None
        if other and _in_environment(other) and _in_environment(service):
            variable = f"{short.upper().replace('-', '_')}_SERVICE_PORT"
            text = f"{variable} is a variable of this Service and of Service {short}: pods get one of the two"
            remedy = "rename one of them, or read neither from the environment (enableServiceLinks: false)"
            yield warn(service, ("metadata", "name"), "CD554", text, remedy)


def _in_environment(service: Service) -> bool:
    return service.type != "ExternalName" and not service.headless and bool(service.ports)
