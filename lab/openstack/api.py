"""The few calls with which the lab furnishes and changes its own cloud. Only the standard library."""

import json
import urllib.error
import urllib.request


class Cloud:
    """The cloud of a folder, as its admin."""

    def __init__(self, folder):
        self.folder = folder
        self.settings = dict(line.strip().split("=", 1) for line in open(f"{folder}/settings"))
        base = int(self.settings["base"])
        self.identity = f"http://127.0.0.1:{base}/v3"
        self.compute = f"http://127.0.0.1:{base + 1}/v2.1"
        self.placement = f"http://127.0.0.1:{base + 2}"
        self.image = f"http://127.0.0.1:{base + 3}"
        self.network = f"http://127.0.0.1:{base + 4}"
        # Behind it comes the project.
        self.volume = f"http://127.0.0.1:{base + 9}/v3"
        self.token = None

    def call(self, method, url, body=None, token=None, version=None):
        """(status, headers, what the body says); raises OSError where nobody answers."""
        headers = {"Content-Type": "application/json"}
        if token or self.token:
            headers["X-Auth-Token"] = token or self.token
        if version:
            headers["OpenStack-API-Version"] = version
        data = None
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/octet-stream"
            data = body
        elif body is not None:
            data = json.dumps(body).encode()
        request = urllib.request.Request(url, method=method, headers=headers, data=data)
        try:
            answer = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read().decode()
        try:
            return answer.status, answer.headers, json.loads(text)
        except ValueError:
            return answer.status, answer.headers, text

    def must(self, method, url, body=None, **more):
        """What the body says; anything but success is an error."""
        status, _, said = self.call(method, url, body, **more)
        if status >= 300:
            raise SystemExit(f"{method} {url} was answered with {status}: {said}")
        return said

    def sign_in(self, user="admin", secret="admin", project="admin"):
        default = {"id": "default"}
        account = {"name": user, "domain": default, "password": self.settings[secret]}
        scope = {"project": {"name": project, "domain": default}}
        wish = {"auth": {"identity": {"methods": ["password"], "password": {"user": account}}, "scope": scope}}
        status, headers, said = self.call("POST", f"{self.identity}/auth/tokens", wish)
        if status != 201:
            raise OSError(f"{user} cannot sign in: {status} {said}")
        return headers["X-Subject-Token"], said["token"]
