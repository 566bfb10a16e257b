"""The series that alerts and the board ask for, and expressions that several of them share.

The API server's metrics have a webhook's name in its configuration as `name`; ours have the name of what answers as
`webhook`. `linkerd_webhook_timeout_seconds` has both, so that it joins them.
"""

from __future__ import annotations

from typing import Final

from webhook.install import configurations as conf

# Those whose silence lets Pods in unmeshed and policies in unchecked. The advisors only warn, and the self-test has an
# alert of its own.
OURS: Final = 'name=~"(proxy-injector|policy-validator|sp-validator)[.]linkerd-webhook[.]linkerd[.]io"'

# In Linkerd's configurations, of every release line: they are ours to answer when they are adopted, or when this
# program has taken the image's place.
LINKERDS: Final = 'name=~"linkerd-(proxy-injector|policy-validator|sp-validator)[.]linkerd[.]io"'

# What the API server waits for an answer in Linkerd's configurations, where nobody tells of another timeout.
LINKERDS_TIMEOUT: Final = 10

# The API server's own metrics, and their labels that are used here.
API_SERVERS: Final = {
    "apiserver_admission_webhook_fail_open_count": ("name", "type"),
    "apiserver_admission_webhook_rejection_count": ("name", "type", "error_type"),
    "apiserver_admission_webhook_request_total": ("name", "type", "code"),
    "apiserver_admission_webhook_admission_duration_seconds_bucket": ("name", "type", "le"),
    "apiserver_admission_webhook_admission_duration_seconds_count": ("name", "type"),
}

FAIL_OPEN: Final = "apiserver_admission_webhook_fail_open_count"
REJECTIONS: Final = "apiserver_admission_webhook_rejection_count"
REQUESTS: Final = "apiserver_admission_webhook_request_total"
CALLS: Final = "apiserver_admission_webhook_admission_duration_seconds"
STARTED: Final = "process_start_time_seconds"
TIMEOUTS: Final = "linkerd_webhook_timeout_seconds"

_SECONDS: Final = {"m": 60, "h": 3600, "d": 86400}


def seconds(duration: str) -> int:
    """A duration of one unit, such as `10m`, in seconds."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def grown(series: str, window: str) -> str:
    """The counters that have grown within a window, with by how much.

    A counter that has come into being within it has grown by all that it counts: the API server has no series for what
    never happened, so that `increase` alone would not see the first time. It does not count where Prometheus did not
    look at that process before, and the process is older: then it may be old as well.
    """
    return (
        f"increase({series}[{window}]) > 0\n"
        f"or\n"
        f"({series} unless {series} offset {window})\n"
        f"  and on (job, instance)\n"
        f"  ({STARTED} offset {window} or time() - {STARTED} < {seconds(window)})"
    )


def answered(expression: str, linkerds: str) -> str:
    """Of our webhooks the first expression, and of Linkerd's the second, unless configurations of our own are there:
    then Linkerd's answers them itself. What was there is remembered for a day, as nobody tells of it when no replica
    is left."""
    own = f'{TIMEOUTS}{{name="{conf.INJECTOR_WEBHOOK}"}}'
    return f"{expression}\nor\n{linkerds}\n  unless on () last_over_time({own}[1d])"


def indented(expression: str, by: int = 2) -> str:
    """An expression of several lines, moved to the right."""
    return "\n".join(" " * by + line if line else line for line in expression.splitlines())


def total(by: tuple[str, ...], expression: str) -> str:
    """The sum of an expression by these labels."""
    return f"sum by ({', '.join(by)}) (\n{indented(expression)}\n)"
