#!/usr/bin/env python3
"""Helper of ha-lab.sh; standard library only, except `setup` and `run`, which need Home Assistant's own environment.

  ha_lab.py prep WHEEL DIR [ui]        unpack package_constraints.txt from Home Assistant's wheel into DIR and write
                                       DIR/requirements.txt: what the integrations of the lab need beyond the core
  ha_lab.py setup STATE                write configuration.yaml and .storage (owner, token, onboarding, http, mqtt entry)
  ha_lab.py run STATE                  start Home Assistant in this process (no fork: the pid stays)
  ha_lab.py ready SECONDS PID          wait until the API answers and the mqtt entry is loaded; prints versions as JSON
  ha_lab.py states|devices|get|call|ws|watch|wait|image ...   client of the running instance; see ha-lab.sh

Settings come from the environment (HA_LAB_STATE) and from STATE/settings.json, which ha-lab.sh writes.
"""
import base64, hashlib, hmac, http.client, json, os, re, secrets, socket, struct, sys, time

STATE = os.environ.get("HA_LAB_STATE", "")

# Instead of Home Assistant's DEFAULT_INTEGRATIONS (frontend, backup, analytics, all base platforms, ...).  mqtt brings in
# file_upload and http itself, and loads just the platforms that are discovered.
MINIMAL = {"api", "auth", "config", "device_automation", "diagnostics", "http", "logger", "network", "repairs",
           "system_log", "websocket_api"}
UI = {"frontend", "onboarding", "lovelace", "search", "logbook", "history", "recorder", "person", "zone", "image_upload", "brands"}
# Platforms that mqtt can load; those unknown to a version are skipped.
MQTT_PLATFORMS = """alarm_control_panel binary_sensor button camera climate cover date datetime device_tracker event fan
 humidifier image infrared lawn_mower light lock notify number scene select sensor siren switch tag text time update vacuum
 valve water_heater""".split()


def settings():
    with open(os.path.join(STATE, "settings.json")) as f:
        return json.load(f)


def token():
    with open(os.path.join(STATE, "token")) as f:
        return f.read().strip()


# ------------------------------------------------------------------------------------------------ installation
def prep(wheel, out, mode="minimal"):
    import zipfile
    z = zipfile.ZipFile(wheel)
    open(os.path.join(out, "constraints.txt"), "wb").write(z.read("homeassistant/package_constraints.txt"))
    todo, seen, reqs = {"mqtt", "isal", *MINIMAL, *MQTT_PLATFORMS}, set(), set()
    if mode == "ui":
        todo |= UI
    while todo:
        d = todo.pop()
        if d in seen:
            continue
        seen.add(d)
        try:
            m = json.loads(z.read(f"homeassistant/components/{d}/manifest.json"))
        except KeyError:
            continue
        reqs |= set(m.get("requirements", []))
        # a dependency of any kind may be imported; Home Assistant, too, installs what after_dependencies require
        todo |= set(m.get("dependencies", [])) | set(m.get("after_dependencies", []))
    open(os.path.join(out, "requirements.txt"), "w").write("".join(r + "\n" for r in sorted(reqs)))


# ------------------------------------------------------------------------------------------------ configuration
def write_store(conf, key, data, version=1, minor=1):
    p = os.path.join(conf, ".storage", key)
    with open(p + ".new", "w") as f:
        json.dump({"version": version, "minor_version": minor, "key": key, "data": data}, f, indent=2)
    os.chmod(p + ".new", 0o600)
    os.replace(p + ".new", p)


def b64u(b):
    return base64.urlsafe_b64encode(b).rstrip(b"=").decode()


def jwt(payload, key):
    head = b64u(b'{"alg":"HS256","typ":"JWT"}') + "." + b64u(json.dumps(payload).encode())
    return head + "." + b64u(hmac.new(key.encode(), head.encode(), hashlib.sha256).digest())


def setup():
    s, conf = settings(), os.path.join(STATE, "config")
    os.makedirs(os.path.join(conf, ".storage"), exist_ok=True)
    os.makedirs(os.path.join(conf, "automations"), exist_ok=True)
    with open(os.path.join(conf, "configuration.yaml"), "w") as f:
        f.write(f"""# written by ha-lab.sh
homeassistant:
  name: ha-lab
  latitude: 52.0
  longitude: 5.0
  elevation: 0
  unit_system: metric
  time_zone: {s["timezone"]}
  country: NL
  currency: EUR
  language: en
automation: !include_dir_merge_list automations
logger:
  default: warning
  logs:
    homeassistant.components.mqtt: {s["mqtt_log"]}
""")
    now = "2026-01-01T00:00:00.000000+00:00"
    # owner with a long-lived access token (and, for the web interface, a password)
    if not os.path.exists(os.path.join(conf, ".storage", "auth")):
        uid, cid, rid, key = secrets.token_hex(16), secrets.token_hex(16), secrets.token_hex(16), secrets.token_hex(64)
        user, password = s["ui_user"], s["ui_password"]
        write_store(conf, "auth", {
            "users": [{"id": uid, "group_ids": ["system-admin"], "is_owner": True, "is_active": True, "name": "Lab Owner",
                       "system_generated": False, "local_only": False}],
            "groups": [{"id": "system-admin", "name": "Administrators"}, {"id": "system-users", "name": "Users"},
                       {"id": "system-read-only", "name": "Read Only"}],
            "credentials": [{"id": cid, "user_id": uid, "auth_provider_type": "homeassistant", "auth_provider_id": None,
                             "data": {"username": user}}],
            "refresh_tokens": [{"id": rid, "user_id": uid, "client_id": None, "client_name": "ha-lab", "client_icon": None,
                                "token_type": "long_lived_access_token", "created_at": now,
                                "access_token_expiration": 3650 * 86400.0, "token": secrets.token_hex(64), "jwt_key": key,
                                "last_used_at": None, "last_used_ip": None, "expire_at": None, "credential_id": None,
                                "version": None}]})
        import bcrypt
        h = base64.b64encode(bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=8))).decode()
        write_store(conf, "auth_provider.homeassistant", {"users": [{"username": user, "password": h}]})
        t = int(time.time())
        fd = os.open(os.path.join(STATE, "token"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(fd, jwt({"iss": rid, "iat": t, "exp": t + 3650 * 86400}, key).encode() + b"\n")
        os.close(fd)
        write_store(conf, "onboarding", {"done": ["user", "core_config", "analytics", "integration"]}, 4)
        write_store(conf, "core.analytics", {"onboarded": True, "preferences": {}, "uuid": None})
    # Where the API listens.  Newer versions ignore `http:` in YAML: they take it over as a *pending* configuration that is
    # dropped after 5 minutes, with a restart; so write their store.  Older versions know only YAML.
    http_conf = {"server_host": ["127.0.0.1"], "server_port": s["port"]}
    try:
        from homeassistant.components.http import config as hc
        stable = json.loads(json.dumps({**hc.HTTP_STORAGE_SCHEMA(http_conf), "created_at": now, "error": None, "error_message": None}))
        write_store(conf, "http", {"stable": stable, "pending": None, "yaml_migration_done": True}, hc.STORAGE_VERSION,
                    getattr(hc, "STORAGE_MINOR_VERSION", 1))
    except (ImportError, AttributeError):
        with open(os.path.join(conf, "configuration.yaml"), "a") as f:
            f.write(f"http:\n  server_host: 127.0.0.1\n  server_port: {s['port']}\n")
    # the mqtt config entry: version 1.2 is accepted by all versions since 2024.11 and is migrated to 2.1 by newer ones
    p = os.path.join(conf, ".storage", "core.config_entries")
    data = {"broker": "127.0.0.1", "port": s["broker_port"], "protocol": "5"}
    if s["mqtt_user"]:
        data |= {"username": s["mqtt_user"], "password": s["mqtt_password"]}
    try:
        store = json.load(open(p))
        for e in store["data"]["entries"]:
            if e["domain"] == "mqtt":
                e["data"] = data
                e["options"] = {**e["options"], "discovery": True, "discovery_prefix": s["prefix"]}
        write_store(conf, "core.config_entries", store["data"], store["version"], store["minor_version"])
    except FileNotFoundError:
        write_store(conf, "core.config_entries", {"entries": [{
            "entry_id": "01HALAB0000000000000000000", "domain": "mqtt", "title": "127.0.0.1", "unique_id": None,
            "source": "user", "version": 1, "minor_version": 2, "data": data,
            "options": {"discovery": True, "discovery_prefix": s["prefix"],
                        "birth_message": {"topic": "homeassistant/status", "payload": "online", "qos": 0, "retain": False},
                        "will_message": {"topic": "homeassistant/status", "payload": "offline", "qos": 0, "retain": False}},
            "disabled_by": None, "pref_disable_new_entities": False, "pref_disable_polling": False,
            "created_at": now, "modified_at": now, "discovery_keys": {}, "subentries": []}]}, 1, 5)


def run():
    s = settings()
    from homeassistant import bootstrap
    bootstrap.DEFAULT_INTEGRATIONS = MINIMAL | (UI if s["mode"] == "ui" else set())
    if s["mode"] != "ui":
        bootstrap.CRITICAL_INTEGRATIONS = set()   # else it goes into recovery mode, as there is no frontend
    sys.argv = ["hass", "--config", os.path.join(STATE, "config"), "--skip-pip", "--log-no-color",
                "--log-file", os.path.join(STATE, "log", "ha.log")]
    from homeassistant.__main__ import main
    sys.exit(main())


# ------------------------------------------------------------------------------------------------ client
class ApiError(Exception):
    pass


def rest(method, path, body=None, timeout=15):
    c = http.client.HTTPConnection("127.0.0.1", settings()["port"], timeout=timeout)
    c.request(method, path, None if body is None else json.dumps(body),
              {"Authorization": "Bearer " + token(), "Content-Type": "application/json"})
    r = c.getresponse()
    data = r.read()
    if r.status >= 300:
        raise ApiError(f"{method} {path}: HTTP {r.status} {data[:500].decode(errors='replace')}")
    return data if not r.headers.get_content_type().endswith("json") else json.loads(data)


class Ws:
    """The few lines of RFC 6455 that Home Assistant's websocket API needs."""

    def __init__(self, timeout=15):
        self.s = socket.create_connection(("127.0.0.1", settings()["port"]), timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        self.s.sendall((f"GET /api/websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self.buf, self.n, self.q = b"", 0, []
        while b"\r\n\r\n" not in self.buf:
            self._more()
        head, self.buf = self.buf.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise ApiError(head.decode(errors="replace"))
        self.recv()                                    # auth_required
        self.send({"type": "auth", "access_token": token()})
        r = self.recv()
        if r.get("type") != "auth_ok":
            raise ApiError(str(r))
        self.version = r["ha_version"]

    def _more(self):
        d = self.s.recv(65536)
        if not d:
            raise ApiError("connection closed")
        self.buf += d

    def _need(self, n):
        while len(self.buf) < n:
            self._more()
        d, self.buf = self.buf[:n], self.buf[n:]
        return d

    def _frame(self, op, data):
        mask = os.urandom(4)
        n = len(data)
        h = bytes([0x80 | op]) + (bytes([0x80 | n]) if n < 126 else b"\xfe" + struct.pack(">H", n) if n < 65536 else b"\xff" + struct.pack(">Q", n))
        self.s.sendall(h + mask + bytes(b ^ mask[i & 3] for i, b in enumerate(data)))

    def send(self, obj):
        self._frame(1, json.dumps(obj).encode())

    def recv(self):
        if self.q:
            return self.q.pop(0)
        msg = b""
        while True:
            # nothing is consumed before a whole frame is there, so that a time-out in between does no harm
            while True:
                if len(self.buf) >= 2:
                    n, o = self.buf[1] & 127, 2
                    if n == 126 and len(self.buf) >= 4:
                        n, o = struct.unpack(">H", self.buf[2:4])[0], 4
                    elif n == 127 and len(self.buf) >= 10:
                        n, o = struct.unpack(">Q", self.buf[2:10])[0], 10
                    elif n >= 126:
                        n = None
                    if n is not None and len(self.buf) >= o + n:
                        break
                self._more()
            fin, op, data = self.buf[0] & 0x80, self.buf[0] & 15, self.buf[o:o + n]
            self.buf = self.buf[o + n:]
            if op == 9:
                self._frame(10, data)
                continue
            if op == 8:
                raise ApiError("closed by Home Assistant")
            if op == 10:
                continue
            msg += data
            if fin:
                r = json.loads(msg)
                if isinstance(r, list):
                    self.q = r[1:]
                    r = r[0]
                return r

    def cmd(self, **kw):
        self.n += 1
        self.send({"id": self.n, **kw})
        while True:
            r = self.recv()
            if r.get("id") == self.n and r["type"] == "result":
                if not r["success"]:
                    raise ApiError(json.dumps(r["error"]))
                return r["result"]


def out(x):
    print(json.dumps(x, indent=1, ensure_ascii=False))


def ready(secs, pid):
    end, what = time.time() + float(secs), "the API"
    while time.time() < end:
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            sys.exit("Home Assistant died")
        try:
            rest("GET", "/api/", timeout=5)
            what = "the mqtt entry"
            e = rest("GET", "/api/config/config_entries/entry?domain=mqtt", timeout=5)
            if e and e[0]["state"] == "loaded":
                c = rest("GET", "/api/config")
                what = "state RUNNING"
                if c.get("recovery_mode") or c.get("safe_mode"):
                    sys.exit("Home Assistant is in recovery mode; see the log")
                if c["state"] == "RUNNING" and "mqtt" in c["components"]:
                    out({"version": c["version"], "components": sorted(x for x in c["components"] if "." not in x)})
                    return
            if e and e[0]["state"] in ("setup_error", "migration_error"):
                sys.exit(f"the mqtt entry: {e[0]['state']}: {e[0].get('reason')}")
            if e and e[0]["state"] != "loaded":
                what = f"the mqtt entry ({e[0]['state']}: {e[0].get('reason')})"
        except (ApiError, OSError, http.client.HTTPException):
            pass
        time.sleep(0.2)
    sys.exit(f"still waiting for {what} after {secs} s")


def devices(sub=""):
    w = Ws()
    d = w.cmd(type="config/device_registry/list")
    ids = [e["entity_id"] for e in w.cmd(type="config/entity_registry/list")]
    e = list(w.cmd(type="config/entity_registry/get_entries", entity_ids=ids).values()) if ids else []
    if sub:
        d = [x for x in d if sub in json.dumps(x)]
        keep = {x["id"] for x in d}
        e = [x for x in e if x and (x["device_id"] in keep or sub in json.dumps(x))]
    out({"devices": d, "entities": sorted((x for x in e if x), key=lambda x: x["entity_id"])})


def watch(secs, sub=""):
    """One JSON line for each state change (and each mqtt-born event entity firing) of the entities whose id contains SUB."""
    w, end = Ws(), time.time() + float(secs)
    w.cmd(type="subscribe_events", event_type="state_changed")
    print('{"watching": %s}' % json.dumps(sub), flush=True)
    while (left := end - time.time()) > 0:
        w.s.settimeout(left)
        try:
            r = w.recv()
        except (TimeoutError, socket.timeout):
            break
        if r.get("type") != "event":
            continue
        d = r["event"]["data"]
        if sub in d["entity_id"]:
            n = d["new_state"]
            print(json.dumps({"at": r["event"]["time_fired"], "entity_id": d["entity_id"], "old": d["old_state"] and d["old_state"]["state"],
                              "new": n and n["state"], "attributes": n and n["attributes"]}, ensure_ascii=False), flush=True)


def wait(entity, state, secs="15"):
    """STATE is a regular expression that must match the whole state; `gone` waits until there is no such entity."""
    end, s = time.time() + float(secs), None
    while True:
        try:
            s = rest("GET", "/api/states/" + entity)["state"]
            if state != "gone" and re.fullmatch(state, s):
                return
        except ApiError as e:
            if "HTTP 404" not in str(e):
                raise
            s = "gone"
            if state == "gone":
                return
        if time.time() > end:
            sys.exit(f"{entity} is {s!r}, not {state!r}, after {secs} s")
        time.sleep(0.05)


def main(cmd, *a):
    global STATE
    if cmd in ("setup", "run"):
        STATE = a[0]
        return setup() if cmd == "setup" else run()
    if cmd == "prep":
        return prep(*a)
    try:
        if cmd == "ready":
            ready(*a)
        elif cmd == "states":
            out(sorted((s for s in rest("GET", "/api/states") if not a or a[0] in s["entity_id"]), key=lambda s: s["entity_id"]))
        elif cmd == "short":
            for s in sorted(rest("GET", "/api/states"), key=lambda s: s["entity_id"]):
                if not a or a[0] in s["entity_id"]:
                    print(s["entity_id"], s["state"])
        elif cmd == "devices":
            devices(*a)
        elif cmd == "get":
            r = rest("GET", a[0])
            sys.stdout.buffer.write(r) if isinstance(r, bytes) else out(r)
        elif cmd == "call":
            out(rest("POST", f"/api/services/{a[0]}/{a[1]}", json.loads(a[2]) if len(a) > 2 else {}))
        elif cmd == "ws":
            out(Ws().cmd(**json.loads(a[0])))
        elif cmd == "watch":
            watch(*a)
        elif cmd == "wait":
            wait(*a)
        elif cmd == "image":
            sys.stdout.buffer.write(rest("GET", "/api/image_proxy/" + a[0]))
        elif cmd == "issues":
            out(Ws().cmd(type="repairs/list_issues")["issues"])
        else:
            sys.exit(f"unknown command {cmd}")
    except (ApiError, OSError, http.client.HTTPException) as e:
        sys.exit(f"ha_lab.py {cmd}: {type(e).__name__}: {e}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
