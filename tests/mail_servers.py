"""Real mail servers for tests: Dovecot with a mailbox for each test, over TLS; an SMTP server that keeps what it is sent
and misbehaves when told to."""

import asyncio
import imaplib
import ipaddress
import logging
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from config.embedded.accounts import Account, service_account
from tests.consent.pages import Sent
from tests.factories import EMAIL

logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # the server's own words; ours are looked through
PATIENCE = 20  # seconds
PASSWORD = "let:me@in/"  # what an address must write in another way
DOVECOT = shutil.which("dovecot", path="/usr/sbin:/usr/bin:/usr/local/sbin:/opt/homebrew/sbin")
EVERY_VERSION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
listen = 127.0.0.1
ssl = required
default_internal_user = {account.name}
default_internal_group = {group}
default_login_user = {account.name}
default_vsz_limit = 1G
first_valid_uid = 1
first_valid_gid = 1
auth_failure_delay = 0
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
"""
VERSION_2_3 = """
protocols = imap
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
mail_location = maildir:~/Maildir
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={account.uid} gid={account.gid} home={folder}/home/%u
}}
"""
VERSION_2_4 = """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols {{
  imap = yes
}}
ssl_server_cert_file = {folder}/cert.pem
ssl_server_key_file = {folder}/key.pem
mail_driver = maildir
mail_path = ~/Maildir
passdb static {{
  password = {password}
}}
userdb static {{
  fields {{
    uid = {account.uid}
    gid = {account.gid}
    home = {folder}/home/%{{user}}
  }}
}}
"""


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


CANARY, ERASE = "my grey hens", "Прошу удалить мои данные"


def letter(text: str = f"{ERASE}. {CANARY}", *, sender: str = EMAIL, subject: str = "", **heads: str) -> EmailMessage:
    """A message to the contact address. `heads`: further ones, `_` for `-`."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, "privacy@registry.example", subject
    message["Message-ID"] = f"<{abs(hash((text, sender, subject)))}@example.kz>"
    for name, value in heads.items():
        del message[name.replace("_", "-")]
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


# --- the mailbox ------------------------------------------------------------------------------------------------------
class ImapServer:
    """Dovecot. Every name is a mailbox of its own."""

    def __init__(self, folder: Path, port: int, account: Account) -> None:
        self.folder, self.port, self.account = folder, port, account
        self.certificate = folder / "cert.pem"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(DOVECOT), "-F", "-c", str(self.folder / "dovecot.conf")]
        self.process = subprocess.Popen(command, cwd="/", **self.account.spawn_options())
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with suppress(OSError, imaplib.IMAP4.error):
                self.signed_in("nobody").logout()
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "dovecot.log").read_text())

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(PATIENCE)
            self.process = None

    def signed_in(self, name: str) -> imaplib.IMAP4_SSL:
        context = ssl.create_default_context(cafile=str(self.certificate))
        client = imaplib.IMAP4_SSL("127.0.0.1", self.port, ssl_context=context, timeout=PATIENCE)
        client.login(name, PASSWORD)
        return client

    def number_anew(self, name: str) -> None:
        """Another UIDVALIDITY, and numbers from 1 again."""
        time.sleep(1.1)  # it is the second in which the mailbox was opened first
        for path in (self.folder / "home" / name / "Maildir").glob("dovecot*"):
            path.unlink()


class Mailbox:
    """One mailbox of the server, as a test fills it and looks into it."""

    def __init__(self, server: ImapServer, name: str) -> None:
        self.server, self.name = server, name
        self.url = f"imaps://{name}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/INBOX"

    def put(self, *messages: EmailMessage | bytes, at: datetime | None = None) -> None:
        client = self.server.signed_in(self.name)
        moment = at or datetime.now(UTC)
        for message in messages:
            raw = message if isinstance(message, bytes) else message.as_bytes()
            verdict, _said = client.append("INBOX", "", imaplib.Time2Internaldate(moment), raw)
            assert verdict == "OK"
        client.logout()

    def empty(self) -> None:
        """As somebody with a mail program does it."""
        client = self.server.signed_in(self.name)
        client.select("INBOX")
        client.store("1:*", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()

    def flags(self) -> list[set[str]]:
        """The flags of every message that is left, in order."""
        client = self.server.signed_in(self.name)
        client.select("INBOX", readonly=True)
        _verdict, told = client.fetch("1:*", "(FLAGS)") if client.search(None, "ALL")[1][0] else ("", [])
        client.logout()
        return [{flag.decode() for flag in imaplib.ParseFlags(line)} - {r"\Recent"} for line in told]

    def number_anew(self) -> None:
        self.server.number_anew(self.name)


@contextmanager
def imap_server() -> Iterator[ImapServer]:
    assert DOVECOT, "Dovecot is missing: ./run test installs it, or  apt-get install dovecot-imapd"
    account = service_account()
    folder = account.make_private_folder(Path(tempfile.mkdtemp(prefix="mailbox-")))
    server = ImapServer(folder, free_port(), account)
    write_certificate(folder)
    group = subprocess.run(["id", "-gn", account.name], check=True, capture_output=True, text=True).stdout.strip()
    told = {"folder": folder, "port": server.port, "account": account, "group": group, "password": PASSWORD}
    (folder / "dovecot.conf").write_text(configuration(_version()).format(**told))
    account.own_tree(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _version() -> str:
    return subprocess.run([str(DOVECOT), "--version"], check=True, capture_output=True, text=True).stdout


def configuration(version: str) -> str:
    """For what `dovecot --version` says. 2.4 wants its version first, and other names for a few settings.

    Source: doc.dovecot.org, "Upgrading Dovecot CE from 2.3 to 2.4" and "Static Password Database".
    """
    is_old = tuple(int(number) for number in re.findall(r"\d+", version)[:2]) < (2, 4)
    return EVERY_VERSION + VERSION_2_3 if is_old else VERSION_2_4 + EVERY_VERSION


def write_certificate(folder: Path) -> None:
    """Of 127.0.0.1, signed by itself, good for a day."""
    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)  # fmt: skip
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(addresses, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, form, plain))


@contextmanager
def mute_server() -> Iterator[int]:
    """Takes the call and says nothing; its port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


# --- where letters go -------------------------------------------------------------------------------------------------
class Sink:
    """An SMTP server. `taken`: what it has read to the end. `answer_*` are its words; `pause` in seconds."""

    def __init__(self) -> None:
        self.taken: list[Sent] = []
        self.answer_to_address = self.answer_to_letter = "250 OK"
        self.cuts, self.pause = False, 0.0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if self.answer_to_address.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer_to_address

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        letter = message_from_bytes(envelope.content, policy=default)
        self.taken.append(Sent(envelope.rcpt_tos[0], letter.get_content(), dict(letter.items())))
        await asyncio.sleep(self.pause)
        if self.cuts:
            server.transport.abort()
        return self.answer_to_letter

    def addresses(self) -> list[str]:
        return [letter.to for letter in self.taken]


@contextmanager
def smtp_sink(settings: Any) -> Iterator[Sink]:
    """The product's letters go there."""
    sink, port = Sink(), free_port()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 2
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()
