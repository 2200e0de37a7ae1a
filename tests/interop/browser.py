"""Chromium without a screen, driven over its pipe by the DevTools protocol, and the page it shows: JsSIP as npm delivers it.

`make test` (tools/deps browser) puts JsSIP and what it needs into browser/node_modules, from npm's registry, at the versions and with the
checksums of package-lock.json. Where it could not, the tests are skipped."""
import http.server, json, os, posixpath, re, select, shutil, threading, time
from harness import HERE, HOST, Failure, Process, Skipped, check, wait_for

FOLDER = os.path.join(HERE, "browser")
MODULES = os.path.join(FOLDER, "node_modules")


def needed():
    """skips a test where there is no browser, or nothing for it to run"""
    for what, there in (("chromium", shutil.which("chromium")), ("JsSIP", os.path.isdir(os.path.join(MODULES, "jssip")))):
        if not there:
            raise Skipped("%s is not there (tools/deps browser installs it, from the network)" % what)


# ---- one script of many modules, as bundlers make it ----

def resolve(here, name):
    """the file that require(name) means in a file of the folder `here`; paths are relative to node_modules"""
    if name.startswith("."):
        path = posixpath.normpath(posixpath.join(here, name))
    elif "/" in name:
        path = name
    else:
        with open(os.path.join(MODULES, name, "package.json")) as f:
            package = json.load(f)
        main = package.get("browser") if isinstance(package.get("browser"), str) else package.get("main", "index.js")
        path = posixpath.normpath(posixpath.join(name, main))
    for end in ("", ".js", "/index.js"):
        if os.path.isfile(os.path.join(MODULES, path + end)):
            return path + end
    raise Failure("no module %s for %s" % (name, here))


def bundle():
    done, todo = {}, [resolve("", "jssip")]
    while todo:
        path = todo.pop()
        if path in done:
            continue
        with open(os.path.join(MODULES, path)) as f:
            text = f.read()
        if path.endswith(".json"):
            done[path] = "module.exports = %s;" % text
            continue
        names = {n: resolve(posixpath.dirname(path), n) for n in re.findall(r"""\brequire\(['"]([^'"]+)['"]\)""", text)}
        todo += names.values()
        done[path] = "const require = n => bundled(%s[n]);\n%s" % (json.dumps(names), text)
    rows = ",\n".join("%s: function (module, exports, bundled) {\n%s\n}" % (json.dumps(p), t) for p, t in done.items())
    return """(() => {
const process = { env: {} }, ready = {}, files = {\n%s\n};
function bundled(path) {
	if (!ready[path]) {
		ready[path] = { exports: {} };
		files[path].call(ready[path].exports, ready[path], ready[path].exports, bundled);
	}
	return ready[path].exports;
}
window.JsSIP = bundled(%s);
})();""" % (rows, json.dumps(resolve("", "jssip")))


class Pages(http.server.ThreadingHTTPServer):
    """Serves the page from a thread of this process."""

    def __init__(self):
        with open(os.path.join(FOLDER, "page.html"), "rb") as f:
            files = {"/": ("text/html", f.read()), "/jssip.js": ("text/javascript", bundle().encode())}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                kind, body = files.get(self.path, (None, b""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass
        super().__init__((HOST, 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def origin(self):
        return "http://%s:%d" % (HOST, self.server_address[1])


class Browser:
    """A Chromium with one page. `accept`: the base64 SHA-256 of the public key of a certificate it takes beside those it knows."""

    def __init__(self, place, url, accept=None, name="chromium"):
        to_it, self.write = os.pipe()
        self.read, from_it = os.pipe()
        # the pipe's ends are descriptors 3 and 4 over there; a shell puts them there
        command = "exec chromium \"$@\" 3<&%d 4>&%d" % (to_it, from_it)
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--remote-debugging-pipe",
                 "--user-data-dir=" + place.path(name), "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
                 "--disable-features=WebRtcHideLocalIpsWithMdns", "--allow-loopback-in-peer-connection",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        if accept:
            flags.append("--ignore-certificate-errors-spki-list=" + accept)
        os.set_inheritable(to_it, True)
        os.set_inheritable(from_it, True)
        self.process = Process(place, name, "sh", "-c", command, "sh", *flags, "about:blank", pass_fds=(to_it, from_it),
                               env={"HOME": place.folder})
        os.close(to_it)
        os.close(from_it)
        self.buffer, self.number, self.session = b"", 0, None
        targets = self.call("Target.getTargets", seconds=60)["targetInfos"]
        page = [t for t in targets if t["type"] == "page"][0]
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Page.navigate", url=url)
        wait_for(lambda: self.run("document.readyState === 'complete' && typeof start === 'function'"), "the page to be loaded")

    def _receive(self, until):
        while b"\0" not in self.buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.read], [], [], left)[0]:
                raise Failure("chromium does not answer")
            data = os.read(self.read, 1 << 20)
            check(data, "chromium has ended")
            self.buffer += data
        one, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, seconds=20, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + seconds
        while True:
            answer = self._receive(end)
            if answer.get("id") == self.number:
                check("error" not in answer, "%s: %s", method, answer.get("error"))
                return answer["result"]

    def run(self, script):
        """the value of an expression in the page"""
        r = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        check("exceptionDetails" not in r, "%s: %s", script, r.get("exceptionDetails"))
        return r["result"].get("value")

    def seen(self):
        return self.run("seen")

    def wait_seen(self, what, seconds=20, **want):
        """the next thing of this kind that happened in the page; those before it are forgotten"""
        def probe():
            for i, e in enumerate(self.seen()):
                if e["what"] == what and all(e.get(k) == v for k, v in want.items()):
                    self.run("seen.splice(0, %d)" % (i + 1))
                    return e
        try:
            return wait_for(probe, "the page to tell %s" % what, seconds)
        except Failure as e:
            raise Failure("%s (it told %s)" % (e, self.seen())) from None

    def stop(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (Failure, OSError):
            pass
        self.process.stop()
        os.close(self.read)
        os.close(self.write)
