"""Every rule, in the order in which findings are told where they are equally strict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veln_hook.signals.source.rules import (
    archive,
    bytecode,
    command_download,
    command_takeover,
    credential_exfiltration,
    credential_handover,
    credential_read,
    decoded_execution,
    destruction,
    dns_exfiltration,
    download_execution,
    dropped_execution,
    environment_exfiltration,
    environment_takeover,
    execution_at_import,
    exfiltration_host,
    hidden_code,
    host_facts_exfiltration,
    installs_packages,
    native_payload,
    network_at_build,
    network_at_import,
    new_command,
    new_dependency,
    new_native,
    obfuscated_code,
    persistence,
    pickle_code,
    process_at_build,
    process_at_import,
    raw_address,
    remote_execution,
    remote_shell,
    shell_download,
    silent_process,
    spying,
    start_up_code,
    start_up_module,
    swallowed_errors,
    unreadable_code,
    weak_signs,
)

if TYPE_CHECKING:
    from veln_hook.signals.source.rule import Rule

RULES: tuple[Rule, ...] = tuple(
    module.RULE
    for module in (
        start_up_code, start_up_module, decoded_execution, remote_execution, remote_shell,
        dropped_execution, download_execution, command_download, command_takeover, credential_exfiltration,
        credential_handover, environment_exfiltration, dns_exfiltration, host_facts_exfiltration, spying,
        exfiltration_host, raw_address, network_at_build, network_at_import, installs_packages, persistence,
        destruction, environment_takeover, native_payload, hidden_code, obfuscated_code, pickle_code,
        unreadable_code, bytecode, archive,
        weak_signs, silent_process, swallowed_errors, process_at_build, process_at_import,
        execution_at_import, shell_download, new_dependency, new_native, new_command, credential_read,
    )
)  # fmt: skip
