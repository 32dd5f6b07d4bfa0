package entry

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/redactions"
)

// The values that two members may have (3). Only a log with verdicts has the members.
var (
	signatureStatuses = []string{
		"verified", "invalid", "unknown_key", "unregistered", "revoked", "replayed", "altered", "verified_foreign",
	}
	approvalStatuses = []string{
		"equivocation", "malformed", "mismatched", "unverified", "requested", "unknown", "denied", "expired", "used",
		"valid",
	}
)

// checkBlinded checks what docs/SPEC-rules4.md (3) asks of the members that need a blind.
func (e *Entry) checkBlinded() error {
	switch {
	case e.Blind == "" && e.hasAdded():
		return errors.New("a member that needs blind, which is missing")
	case e.Blind == "":
		return nil
	case len(e.Blind) != 32 || !isLowerHex(e.Blind):
		return fmt.Errorf("blind %.40q", e.Blind)
	case (e.CloudEventType == "") == e.IsEvent():
		return errors.New("cloudevent_type is missing, or stands in one of the log's own entries")
	case !e.IsEvent() && e.hasAdded():
		return errors.New("a member that only entries of events have")
	case e.Altered && (len(e.Redactions) == 0 || e.Signature != "" || e.RecordHash != nil):
		return errors.New("altered without redactions, or with what an altered event loses")
	case e.SignatureStatus == "" && e.KeyEntry != nil:
		return errors.New("key_entry without signature_status")
	case e.SignatureStatus != "" && !slices.Contains(signatureStatuses, e.SignatureStatus):
		return fmt.Errorf("signature_status %.40q", e.SignatureStatus)
	case e.ApprovalStatus != "" && !slices.Contains(approvalStatuses, e.ApprovalStatus):
		return fmt.Errorf("approval_status %.40q", e.ApprovalStatus)
	case e.MaterialKey != "" && !isKeyID(e.MaterialKey):
		return fmt.Errorf("material_key %.80q", e.MaterialKey)
	}
	return e.checkAttributes()
}

// checkAttributes checks that attributes stand where they belong in a leaf with a blind.
func (e *Entry) checkAttributes() error {
	for _, name := range movedAttributes {
		value := *e.moved(name)
		if value != "" && !leaves(name, value) {
			return fmt.Errorf("the member of attribute %s has the value %.80q", name, value)
		}
		if _, both := e.Extensions[name]; both && value != "" {
			return fmt.Errorf("attribute %s is an extension, too", name)
		}
	}
	for name, value := range e.Extensions {
		if leaves(name, value) {
			return fmt.Errorf("attribute %s is an extension", name)
		}
	}
	if value, ok := e.Extensions[attributeRedactions]; ok {
		if _, ok := redactions.Parse(value); ok {
			return fmt.Errorf("attribute %s is an extension", attributeRedactions)
		}
	}
	return nil
}

// hasAdded reports whether the leaf has a member that needs a blind.
func (e *Entry) hasAdded() bool {
	for _, name := range movedAttributes {
		if *e.moved(name) != "" {
			return true
		}
	}
	return e.RecordHash != nil || e.Altered || e.HasVerdict()
}

// HasVerdict reports whether the leaf has a member that only a log with verdicts may have.
func (e *Entry) HasVerdict() bool {
	return e.SignatureStatus != "" || e.KeyEntry != nil || e.MaterialKey != "" || e.ApprovalStatus != ""
}

// HasPayload reports whether the entry commits to a payload, which may have been erased since.
func (e *Entry) HasPayload() bool { return e.DataHash != nil || e.RecordHash != nil }

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; !canonical.IsDigit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
