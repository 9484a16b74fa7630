"""Requests to Toxiproxy's API, in order, and the answers of the Go program (2.12.0): both servers must give them.

`@api@` stands for the API's own port, `@free@` for one that is free; the listening ports in answers are blanked to 0.
"""

from __future__ import annotations

from dataclasses import dataclass

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
UP = "127.0.0.1:21002"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer."""

    method: str
    path: str
    body: str | None
    status: int
    content_type: str
    text: str
    agent: str = "drillbook-tests"


def failed(method: str, path: str, body: str | None, status: int, message: str) -> Exchange:
    """A request that is answered with an error."""
    return Exchange(method, path, body, status, TEXT, f'{{"error":"{message}","status":{status}}}\n')


def made(method: str, path: str, body: str | None, text: str, status: int = 200) -> Exchange:
    """A request that is answered with JSON."""
    return Exchange(method, path, body, status, JSON, text)


def proxy(
    name: str, toxics: str = "", *, listen: str = "127.0.0.1:0", upstream: str = UP, enabled: str = "true"
) -> str:
    """A proxy as the API shows it."""
    return (
        f'{{"name":"{name}","listen":"{listen}","upstream":"{upstream}","enabled":{enabled},'
        f'"Logger":{{}},"toxics":[{toxics}]}}'
    )


def toxic(attributes: str, name: str, type: str, stream: str = "downstream", toxicity: str = "1") -> str:
    """A toxic as the API shows it."""
    return f'{{"attributes":{attributes},"name":"{name}","type":"{type}","stream":"{stream}","toxicity":{toxicity}}}'


def bad(message: str) -> str:
    """What is said of a body that cannot be decoded."""
    return f"bad request body: {message}"


def mistyped(value: str, field: str, type: str) -> str:
    """What is said of a value of the wrong type."""
    return bad(f"json: cannot unmarshal {value} into Go struct field {field} of type {type}")


X, T = "/proxies/x", "/proxies/x/toxics"
NOTHING_HERE = "404 page not found\n"
STREAM = "stream was invalid, can be either upstream or downstream"
POPULATED = r"struct { toxiproxy.Proxy; Enabled *bool \"json:\\\"enabled\\\"\" }"

UNROUTED = (
    Exchange("GET", "/version", None, 200, "application/json;charset=utf-8", '{"version": "git"}\n'),
    Exchange("GET", "/version", None, 403, TEXT, "User agent not allowed\n", agent="Mozilla/5.0"),
    Exchange("GET", "/nope", None, 404, TEXT, NOTHING_HERE, agent="Mozilla/5.0"),
    Exchange("GET", "/nope", None, 404, TEXT, NOTHING_HERE),
    Exchange("GET", "/metrics", None, 404, TEXT, NOTHING_HERE),
    Exchange("GET", "/proxies/", None, 404, TEXT, NOTHING_HERE),
    Exchange("POST", "/reset/", None, 404, TEXT, NOTHING_HERE),
    Exchange("PUT", "/proxies", None, 405, "", ""),
    Exchange("HEAD", "/proxies", None, 405, "", ""),
    Exchange("OPTIONS", "/version", None, 405, "", ""),
    Exchange("GET", "/reset", None, 405, "", ""),
    Exchange("GET", "//proxies", None, 301, "", ""),
    Exchange("GET", "/proxies/../version?x=1", None, 301, "", ""),
)

PROXIES = (
    made("GET", "/proxies", None, "{}"),
    failed("POST", "/proxies", None, 400, bad("EOF")),
    failed("POST", "/proxies", "", 400, bad("EOF")),
    failed("POST", "/proxies", "{bad", 400, bad("invalid character 'b' looking for beginning of object key string")),
    failed("POST", "/proxies", '{"name":"x"}', 400, "missing required field: upstream"),
    failed("POST", "/proxies", '{"upstream":"x"}', 400, "missing required field: name"),
    failed("POST", "/proxies", "null", 400, "missing required field: name"),
    failed("POST", "/proxies", "[]", 400, bad("json: cannot unmarshal array into Go value of type toxiproxy.Proxy")),
    failed("POST", "/proxies", '{"name":5}', 400, mistyped("number", "Proxy.name", "string")),
    failed("POST", "/proxies", '{"enabled":"x"}', 400, mistyped("string", "Proxy.enabled", "bool")),
    made("POST", "/proxies", f'{{"name":"x","upstream":"{UP}","listen":"127.0.0.1:0"}}', proxy("x"), 201),
    failed("POST", "/proxies", f'{{"name":"x","upstream":"{UP}","listen":"127.0.0.1:0"}}', 409, "proxy already exists"),
    made(
        "POST",
        "/proxies",
        f'{{"Name":"nl","UPSTREAM":"{UP}","enabled":false,"unknown":1}}',
        proxy("nl", listen="", enabled="false"),
        201,
    ),
    made("POST", "/proxies/nl", '{"enabled":true}', proxy("nl", listen="[::]:0")),
    failed(
        "POST",
        "/proxies",
        f'{{"name":"used","upstream":"{UP}","listen":"127.0.0.1:@api@"}}',
        500,
        "listen tcp 127.0.0.1:@api@: bind: address already in use",
    ),
    failed(
        "POST",
        "/proxies",
        f'{{"name":"badl","upstream":"{UP}","listen":"foo"}}',
        500,
        "listen tcp: address foo: missing port in address",
    ),
    failed(
        "POST",
        "/proxies",
        f'{{"name":"badl","upstream":"{UP}","listen":"a:b:c"}}',
        500,
        "listen tcp: address a:b:c: too many colons in address",
    ),
    failed(
        "POST",
        "/proxies",
        f'{{"name":"badl","upstream":"{UP}","listen":"[::1:5"}}',
        500,
        "listen tcp: address [::1:5: missing ']' in address",
    ),
    failed(
        "POST",
        "/proxies",
        f'{{"name":"badl","upstream":"{UP}","listen":"127.0.0.1:99999"}}',
        500,
        "listen tcp: address 99999: invalid port",
    ),
    failed(
        "POST",
        "/proxies",
        f'{{"name":"badl","upstream":"{UP}","listen":"127.0.0.1:foo"}}',
        500,
        "listen tcp: lookup tcp/foo: unknown port",
    ),
    made(
        "POST",
        "/proxies",
        '{"name":"lh","upstream":"localhost:21002","listen":"localhost:0","enabled":null}',
        proxy("lh", upstream="localhost:21002"),
        201,
    ),
    failed("PATCH", X, '{"listen":"foo"}', 500, "address foo: missing port in address"),
    failed("PATCH", X, '{"listen":"127.0.0.1:foo"}', 500, "lookup tcp/foo: unknown port"),
    failed("PATCH", X, '{"enabled":"f"}', 400, mistyped("string", "Proxy.enabled", "bool")),
    made("PATCH", X, '{"name":"y","upstream":"127.0.0.1:21003"}', proxy("x", upstream="127.0.0.1:21003")),
    failed("PATCH", X, None, 400, bad("EOF")),
    failed("GET", "/proxies/zz", None, 404, "proxy not found"),
    failed("DELETE", "/proxies/zz", None, 404, "proxy not found"),
    failed("PATCH", "/proxies/zz", "{}", 404, "proxy not found"),
    failed("POST", "/proxies/zz/toxics", "{}", 404, "proxy not found"),
)

LATENCY = "LatencyToxic.attributes.latency"
TOXICS = (
    made("GET", T, None, "[]"),
    made(
        "POST",
        T,
        '{"type":"latency","attributes":{"latency":100}}',
        toxic('{"latency":100,"jitter":0}', "latency_downstream", "latency"),
    ),
    failed("POST", T, '{"type":"latency","attributes":{"latency":100}}', 409, "toxic already exists"),
    made(
        "POST",
        T,
        '{"type":"latency","stream":"upstream","toxicity":0.1,"attributes":{"latency":100,"jitter":5,"zz":1}}',
        toxic('{"latency":100,"jitter":5}', "latency_upstream", "latency", "upstream", "0.1"),
    ),
    failed(
        "POST",
        T,
        '{"type":"latency","name":"a","attributes":{"latency":100.5}}',
        400,
        mistyped("number 100.5", LATENCY, "int64"),
    ),
    failed(
        "POST",
        T,
        '{"type":"latency","name":"a","attributes":{"latency":1e2}}',
        400,
        mistyped("number 1e2", LATENCY, "int64"),
    ),
    failed(
        "POST",
        T,
        '{"type":"latency","name":"a","attributes":{"latency":"1"}}',
        400,
        mistyped("string", LATENCY, "int64"),
    ),
    failed(
        "POST",
        T,
        '{"type":"latency","name":"a","attributes":{"latency":99999999999999999999}}',
        400,
        mistyped("number 99999999999999999999", LATENCY, "int64"),
    ),
    failed(
        "POST",
        T,
        '{"type":"slicer","name":"a","attributes":{"average_size":"x"}}',
        400,
        mistyped("string", "SlicerToxic.attributes.average_size", "int"),
    ),
    failed(
        "POST",
        T,
        '{"type":"reset_peer","name":"a","attributes":{"timeout":true}}',
        400,
        mistyped("bool", "ResetToxic.attributes.timeout", "int64"),
    ),
    failed(
        "POST",
        T,
        '{"type":"limit_data","name":"a","attributes":{"bytes":{}}}',
        400,
        mistyped("object", "LimitDataToxic.attributes.bytes", "int64"),
    ),
    failed(
        "POST",
        T,
        '{"type":"timeout","name":"a","attributes":{"timeout":[1]}}',
        400,
        mistyped("array", "TimeoutToxic.attributes.timeout", "int64"),
    ),
    failed(
        "POST",
        T,
        '{"type":"latency","name":"a","attributes":5}',
        400,
        mistyped("number", "ToxicWrapper.attributes", "toxics.NoopToxic"),
    ),
    failed("POST", T, '{"type":5}', 400, mistyped("number", "ToxicWrapper.type", "string")),
    failed("POST", T, '{"toxicity":"a"}', 400, mistyped("string", "ToxicWrapper.toxicity", "float32")),
    failed("POST", T, '{"toxicity":1e400}', 400, mistyped("number 1e400", "ToxicWrapper.toxicity", "float32")),
    failed("POST", T, "[]", 400, bad("json: cannot unmarshal array into Go value of type toxics.ToxicWrapper")),
    failed("POST", T, "true", 400, bad("json: cannot unmarshal bool into Go value of type toxics.ToxicWrapper")),
    failed("POST", T, "null", 400, "invalid toxic type"),
    failed("POST", T, "{}", 400, "invalid toxic type"),
    failed("POST", T, '{"type":"zzz"}', 400, "invalid toxic type"),
    failed("POST", T, '{"type":"zzz","stream":"sideways"}', 400, STREAM),
    made(
        "POST",
        T,
        '{"type":"latency","stream":"UPSTREAM"}',
        toxic('{"latency":0,"jitter":0}', "latency_UPSTREAM", "latency", "UPSTREAM"),
    ),
    made("POST", T, '{"type":"noop"}', toxic("{}", "noop_downstream", "noop")),
    made(
        "POST",
        T,
        '{"type":"slicer","name":"s2","toxicity":7,"attributes":{"average_size":10}}',
        toxic('{"average_size":10,"size_variation":0,"delay":0}', "s2", "slicer", toxicity="7"),
    ),
    made("POST", T, '{"type":"bandwidth","name":"bw","attributes":null}', toxic('{"rate":0}', "bw", "bandwidth")),
    made("POST", T, '{"type":"slow_close"}', toxic('{"delay":0}', "slow_close_downstream", "slow_close")),
    made("POST", T, '{"type":"timeout"}', toxic('{"timeout":0}', "timeout_downstream", "timeout")),
    made("POST", T, '{"type":"reset_peer"}', toxic('{"timeout":0}', "reset_peer_downstream", "reset_peer")),
    made("POST", T, '{"type":"limit_data"}', toxic('{"bytes":0}', "limit_data_downstream", "limit_data")),
    made("POST", T, '{"type":"noop","name":"a<b"}', toxic("{}", r"a\u003cb", "noop")),
    made(
        "POST", T, '{"type":"noop","name":"f","toxicity":0.123456789}', toxic("{}", "f", "noop", toxicity="0.12345679")
    ),
    made("POST", T, '{"type":"noop","name":"m","toxicity":-1.5}', toxic("{}", "m", "noop", toxicity="-1.5")),
    failed("GET", f"{T}/lf", None, 404, "toxic not found"),
    made("GET", f"{T}/latency_downstream", None, toxic('{"latency":100,"jitter":0}', "latency_downstream", "latency")),
    made(
        "PATCH",
        f"{T}/latency_downstream",
        '{"attributes":{"jitter":7},"toxicity":0.5,"type":"slicer","stream":"upstream","name":"new"}',
        toxic('{"latency":100,"jitter":7}', "latency_downstream", "latency", toxicity="0.5"),
    ),
    made(
        "PATCH",
        f"{T}/latency_downstream",
        '{"attributes":null}',
        toxic('{"latency":100,"jitter":7}', "latency_downstream", "latency", toxicity="0.5"),
    ),
    failed("PATCH", f"{T}/latency_downstream", '{"toxicity":"a"}', 400, mistyped("string", ".toxicity", "float32")),
    failed(
        "PATCH",
        f"{T}/latency_downstream",
        '{"attributes":5}',
        400,
        mistyped("number", ".attributes", "toxics.LatencyToxic"),
    ),
    failed(
        "PATCH", f"{T}/latency_downstream", '{"attributes":{"latency":"a"}}', 400, mistyped("string", LATENCY, "int64")
    ),
    failed("PATCH", f"{T}/none", "{}", 404, "toxic not found"),
    failed("DELETE", f"{T}/none", None, 404, "toxic not found"),
    Exchange("DELETE", f"{T}/bw", None, 204, "", ""),
    Exchange("DELETE", f"{T}/f", None, 204, "", ""),
    Exchange("DELETE", f"{T}/m", None, 204, "", ""),
    Exchange("DELETE", f"{T}/a<b".replace("<", "%3C"), None, 204, "", ""),
    made(
        "GET",
        X,
        None,
        proxy(
            "x",
            ",".join(
                (
                    toxic('{"latency":100,"jitter":5}', "latency_upstream", "latency", "upstream", "0.1"),
                    toxic('{"latency":0,"jitter":0}', "latency_UPSTREAM", "latency", "UPSTREAM"),
                    toxic('{"latency":100,"jitter":7}', "latency_downstream", "latency", toxicity="0.5"),
                    toxic("{}", "noop_downstream", "noop"),
                    toxic('{"average_size":10,"size_variation":0,"delay":0}', "s2", "slicer", toxicity="7"),
                    toxic('{"delay":0}', "slow_close_downstream", "slow_close"),
                    toxic('{"timeout":0}', "timeout_downstream", "timeout"),
                    toxic('{"timeout":0}', "reset_peer_downstream", "reset_peer"),
                    toxic('{"bytes":0}', "limit_data_downstream", "limit_data"),
                )
            ),
            upstream="127.0.0.1:21003",
        ),
    ),
)

BROKEN_JSON = tuple(
    failed("POST", T, body, 400, bad(message))
    for body, message in (
        ('{"type":"latency",}', "invalid character '}' looking for beginning of object key string"),
        ('{"type" "latency"}', r"invalid character '\"' after object key"),
        ('{"type":"latency" "x":1}', r"invalid character '\"' after object key:value pair"),
        ('{"type":tru}', "invalid character '}' in literal true (expecting 'e')"),
        ('{"type":"a', "unexpected EOF"),
        ("{", "unexpected EOF"),
        (r'{"type":"a\q"}', "invalid character 'q' in string escape code"),
        ('{"type":01}', "invalid character '1' after object key:value pair"),
        ('{"type":-}', "invalid character '}' in numeric literal"),
        ('{"type":NaN}', "invalid character 'N' looking for beginning of value"),
        ("[1 2]", "invalid character '2' after array element"),
    )
)

POPULATE = (
    made("POST", "/populate", "[]", '{"proxies":null}', 201),
    made("POST", "/populate", "null", '{"proxies":null}', 201),
    *(
        made("POST", "/populate", body, f'{{"error":"{message}","status":400,"proxies":null}}', 400)
        for body, message in (
            ("{}", bad(f"json: cannot unmarshal object into Go value of type []{POPULATED}")),
            ("[5]", bad(f"json: cannot unmarshal number into Go value of type {POPULATED}")),
            ('[{"enabled":5}]', mistyped("number", ".enabled", "bool")),
            ('[{"name":5}]', mistyped("number", ".Proxy.name", "string")),
            ("[null]", "missing required field: name at proxy 1"),
            (
                f'[{{"name":"p1","upstream":"{UP}","listen":"127.0.0.1:0"}},{{"name":"","upstream":"a"}}]',
                "missing required field: name at proxy 2",
            ),
        )
    ),
    made(
        "POST",
        "/populate",
        f'[{{"name":"p1","upstream":"{UP}","listen":"127.0.0.1:@free@"}},'
        f'{{"name":"p2","upstream":"{UP}","listen":"127.0.0.1:@api@"}}]',
        '{"error":"listen tcp 127.0.0.1:@api@: bind: address already in use","status":500,'
        f'"proxies":[{proxy("p1")}]}}',
        500,
    ),
    made(
        "POST",
        "/populate",
        f'[{{"name":"p1","upstream":"{UP}","listen":"127.0.0.1:@free@","enabled":false}}]',
        f'{{"proxies":[{proxy("p1")}]}}',
        201,
    ),
    made(
        "POST",
        "/populate",
        '[{"name":"p1","upstream":"127.0.0.1:21003","listen":"127.0.0.1:@free@","enabled":false}]',
        f'{{"proxies":[{proxy("p1", upstream="127.0.0.1:21003", enabled="false")}]}}',
        201,
    ),
    Exchange("POST", "/reset", None, 204, "", ""),
    made("GET", "/proxies/p1", None, proxy("p1", upstream="127.0.0.1:21003")),
    made("GET", T, None, "[]"),
    Exchange("DELETE", X, None, 204, "", ""),
    made(
        "GET",
        "/proxies",
        None,
        f'{{"lh":{proxy("lh", upstream="localhost:21002")},"nl":{proxy("nl", listen="[::]:0")},'
        f'"p1":{proxy("p1", upstream="127.0.0.1:21003")}}}',
    ),
)

EXCHANGES = (*UNROUTED, *PROXIES, *TOXICS, *BROKEN_JSON, *POPULATE)
"""All of them: later ones build on what earlier ones made."""
