package main

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"policy_violation", "tool_invocation", "tool_blocked", "t"}
	for text, want := range map[string]string{
		"policy_violation": "", "policy_violaton": "policy_violation", "polcy_violatoin": "",
		"tool_invocations": "tool_invocation", "tol_blocked": "tool_blocked", "x": "", "": "", "tool": "",
		"deploy": "",
	} {
		if got := nearest(text, words); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
