"""What the server has, read over its protocol and decoded by spec/protocol.md alone."""

import collections
import json
import urllib.parse
import urllib.request

# client and n tell who made the change, seq when it was committed; actor is the object.
Mark = collections.namedtuple("Mark", "at client n actor origin seq")


def get(url, token):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json.loads(answer.read())


def pages(url, app, token, since=""):
    """All there is, or what came after a cursor, page by page."""
    more = True
    while more:
        query = urllib.parse.urlencode({"v": 2, "since": since})
        page = get(f"{url}/sync/{urllib.parse.quote(app)}/pull?{query}", token)
        yield page
        since, more = page["syncedUntil"], page["hasMore"]


def record_of(change, page):
    def mark(i):
        at, client, n, actor, origin, seq = change["marks"][i][:6]
        return Mark(at, page["clients"][client], n, page["actors"][actor], origin, seq)

    fields = {name: (value, mark(0)) for name, value in change.get("values", {}).items()}
    fields.update({name: (f[1], mark(f[0])) for name, f in change.get("fields", {}).items()})
    # A pull from the start brings each record once and whole; later a life that has not changed is
    # not there, and neither are fields that have not.
    life = mark(change["life"]) if "life" in change else None
    return {"dead": change.get("dead", False), "life": life, "fields": fields}


def records(server, app, token):
    """{(table, id): {"dead", "life": Mark, "fields": {name: (value, Mark)}}}"""
    found = {}
    for page in pages(server.url, app, token):
        for change in page["serverChanges"]:
            found[change["table"], change["id"]] = record_of(change, page)
    return found
