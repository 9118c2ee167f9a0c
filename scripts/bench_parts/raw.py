"""What the machine could do at best: the same cryptography without a server around it, on the same cores."""

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import bcrypt
from cbor2 import dumps
from joserfc import jwt
from joserfc.jwk import RSAKey
from webauthn import verify_authentication_response

from authenticator import ES256, Authenticator, b64url
from keystead.rules.passkey_policy import Context, Credential, evaluate
from keystead.rules.passkey_terms import PasskeyPolicy

COST = 10
RSA_BITS = 2048
ORIGIN = "http://localhost:8000"


def bcrypt_per_second(seconds: float) -> float:
    """Return how many ``bcrypt.checkpw`` calls threads make on every core, at the priority of the server's own."""
    cores = os.cpu_count() or 1
    hashed = bcrypt.hashpw(b"correct horse battery", bcrypt.gensalt(COST))
    with ThreadPoolExecutor(cores, initializer=lambda: os.setpriority(os.PRIO_PROCESS, 0, 10)) as threads:
        rates = threads.map(
            lambda _: _rate(lambda: bcrypt.checkpw(b"correct horse battery", hashed), seconds), range(cores)
        )
        return sum(rates)


def passkeys_per_second(seconds: float, processes: int) -> float:
    """Return how often processes, one for each worker, verify an ES256 assertion and sign two RS256 tokens."""
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawned) as pool:
        return sum(pool.map(_passkey_rate, [seconds] * processes))


def judgements_per_second(seconds: float) -> float:
    """Return how often in a second of processor time a passkey is judged by two policies, one after the other."""
    policies = PasskeyPolicy(), PasskeyPolicy(backup="device_bound_only", user_verification="required")
    credential = Credential(
        -7, True, True, ("internal", "hybrid"), "00000000-0000-0000-0000-000000000000", rp_id="localhost"
    )
    context = Context(registers=False, rp_ids=("localhost",))
    began = time.process_time()
    rate = _rate(lambda: [evaluate(policy, credential, context) for policy in policies], seconds)
    return rate * seconds / (time.process_time() - began)


def signing_cost() -> float:
    """Return the milliseconds that the software authenticator needs for one answer."""
    device, options = _device(), _options()
    return 1000 / _rate(lambda: device.get(options, origin=ORIGIN), 0.2)


def _passkey_rate(seconds: float) -> float:
    device, options = _device(), _options()
    response, public_key = device.get(options, origin=ORIGIN), dumps(device.credentials[0].pair.cose())
    key = RSAKey.generate_key(RSA_BITS)
    header = {"alg": "RS256", "typ": "at+jwt", "kid": "1"}
    claims = {
        "iss": ORIGIN,
        "sub": "auth0|0123456789",
        "aud": f"{ORIGIN}/userinfo",
        "iat": 1,
        "exp": 2,
        "scope": "openid",
    }

    def login() -> None:
        verify_authentication_response(
            credential=response,
            expected_challenge=b"0" * 32,
            expected_rp_id="localhost",
            expected_origin=ORIGIN,
            credential_public_key=public_key,
            credential_current_sign_count=0,
        )
        jwt.encode(header, claims, key, algorithms=["RS256"])
        jwt.encode(header, claims, key, algorithms=["RS256"])

    return _rate(login, seconds)


def _device() -> Authenticator:
    device = Authenticator(algorithms=(ES256,))
    device.create(
        {
            "rp": {"id": "localhost"},
            "user": {"id": b64url(b"1")},
            "challenge": "",
            "pubKeyCredParams": [{"alg": ES256}],
        },
        origin=ORIGIN,
    )
    return device


def _options() -> dict[str, object]:
    return {"challenge": b64url(b"0" * 32), "rpId": "localhost"}


def _rate(work: Callable[[], object], seconds: float) -> float:
    done, began = 0, time.perf_counter()
    while (now := time.perf_counter()) < began + seconds:
        work()
        done += 1
    return done / (now - began)
