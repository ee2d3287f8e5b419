"""Which attacks are known to get through, and which can't be shown to work without the sandbox; each with its reason.

An attack that isn't named here gets through without the sandbox, or the control fails, and doesn't with it.
"""

from __future__ import annotations

_LATE = {
    "path_unix_late": "a socket that somebody outside binds once the command runs, in a place that it can see, is not "
    "covered; only Landlock from ABI 9 on knows about connecting to one"
}
EXPECTED_OPEN: dict[str, dict[str, str]] = {"namespaces": _LATE, "bubblewrap": _LATE}
"""By rung: attack and why it can't be stopped there; `docs/threat-model.md` says the same."""

_ROOT = "only root can do this anywhere"
_KERNEL = "not every kernel has it, or lets everybody use it"
_OTHERS = "a machine may forbid it to everybody who isn't the process' parent (Yama, containers)"
_FILES = "not every file system keeps it"
_GATE = "a gate is only there with the sandbox"

MAY_BE_CLOSED = {
    "create_in_system": _ROOT,
    "sysfs": _ROOT,
    "core_pattern": _ROOT,
    "cgroup": _ROOT,
    "kernel_log": _ROOT,
    "kernel_log_read": _ROOT,
    "ambient_rights": _ROOT,
    "mount_over": _ROOT,
    "host_name": _ROOT,
    "clock": _ROOT,
    "network_address": _ROOT,
    "kernel_programs": _ROOT,
    "raw_icmp": _ROOT,
    "packet_socket": _ROOT,
    "read_by_handle": _ROOT,
    "setuid_binary": "root has nothing to gain from it, and only root can prepare it",
    "read_raw_disk": "a machine may have no disk that even root can read",
    "pid1_environ_secret": "process 1 outside holds none of our secrets",
    "write_report": "without the sandbox there is no report",
    "launcher_places": "without the sandbox there is no launcher",
    "x32_calls": _KERNEL,
    "sctp": _KERNEL,
    "udplite": _KERNEL,
    "mptcp": _KERNEL,
    "tcp6_direct": "a machine may have no IPv6",
    "udp6_datagram": "a machine may have no IPv6",
    "inbound6": "a machine may have no IPv6",
    "bind_to_device": _KERNEL,
    "io_uring": _KERNEL,
    "i386_int80": _KERNEL,
    "ioctl_compat": _KERNEL,
    "vsock": _KERNEL,
    "other_families": _KERNEL,
    "tiocsti": _KERNEL,
    "tiocsti_hibits": _KERNEL,
    "keyring": _KERNEL,
    "keyring_write": _KERNEL,
    "posix_queue": _KERNEL,
    "perf_other": _KERNEL,
    "new_namespaces": _KERNEL,
    "file_setattr_outside": _KERNEL,
    "chattr_outside": _FILES,
    "xattr_outside": _FILES,
    "acl_outside": _FILES,
    "ptrace_canary": _OTHERS,
    "ptrace_launcher": _OTHERS,
    "proc_mem_canary": _OTHERS,
    "proc_mem_of_launcher": _OTHERS,
    "process_vm": _OTHERS,
    "layout_of_process": _OTHERS,
    "steal_descriptor": _OTHERS,
    "write_memory": _OTHERS,
    "affinity_outside": "a machine may have one processor only",
    "tcp_fastopen": _KERNEL,
    "tcp_fastopen_sendmsg": _KERNEL,
    "tcp_fastopen_connect": _KERNEL,
    "gate_connect_attacker": _GATE,
    "gate_ip_literal": _GATE,
    "gate_host_confusion": _GATE,
    "gate_dns_label": _GATE,
    "gate_sni_front": _GATE,
    "gate_fake_address": _GATE,
    "gate_legit": _GATE,
}
"""Attacks that a machine may stop by itself, so that the control may fail to show them."""

COMPILED = {
    "io_uring",
    "i386_int80",
    "ioctl_compat",
    "x32_calls",
    "libc_dns",
    "nested_userns_unmask",
    "unmask_directly",
    "setuid_binary",
    "daemon_sibling",
}
"""Attacks that need a C compiler."""
