from agentmesh.governance.audit import AuditLog

audit = AuditLog()
entry = audit.log(
    event_type="tool_invocation",
    agent_did="did:web:sales-assistant.example.com",
    action="allow",
    resource="/crm/contacts",
    data={"tool": "crm_lookup", "query": "acme corp"},
    outcome="success",
    trace_id="trace-7f3a",
)
print(entry.entry_id)
print(entry.entry_hash)
print(entry.timestamp)

is_valid, error = audit.verify_integrity()
assert is_valid, f"chain broken: {error}"
print("chain intact")
