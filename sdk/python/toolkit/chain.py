from agentmesh.governance.audit import AuditLog, MerkleAuditChain

audit = AuditLog()
for i in range(100):
    entry = audit.log(
        event_type="tool_invocation",
        agent_did=f"did:web:agent-{i % 5}.example.com",
        action="allow",
        resource=f"/api/resource/{i}",
        outcome="success",
    )

is_valid, error = audit.verify_integrity()
print(f"chain valid: {is_valid}")
root = audit._chain.get_root_hash()
print(f"root: {root}")
proof = audit.get_proof(entry.entry_id)
assert proof["verified"], "the proof failed"
verified = MerkleAuditChain.verify_proof(
    entry_hash=entry.entry_hash,
    proof=proof["merkle_proof"],
    root_hash=root,
)
print(f"in the log: {verified}")
